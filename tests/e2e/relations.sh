#!/bin/sh
# What a schema's relations do through a hub: a consent withdrawn on one phone hides the value on
# the other; a confidential report refuses a name; two redemptions made apart are settled in
# order by the office, whose entries alone count; a matter goes up and its answer comes back.
set -u
dir=$(mktemp -d) || exit 1
hub=
trap 'for p in $hub; do kill -9 "$p" 2>/dev/null; done; rm -rf "$dir"' EXIT
LC_ALL=C.UTF-8
export LC_ALL
n=0

check() { # status, name
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else
    echo "not ok $n - $2"
    sed 's/^/# /' "$dir/out" "$dir/err" 2>/dev/null
  fi
}
phone() { name=$1; shift; "$BUILD/qianmo" --db "$dir/$name.db" "$@" >"$dir/out" 2>"$dir/err"; }
says() { grep -q -- "$1" "$dir/out" "$dir/err"; }
refused() { # pattern, arguments
  pattern=$1; shift
  phone "$@"
  test $? = 5 && says "$pattern"
}
new() { phone "$@" && read -r id <"$dir/out"; }
both() { phone east sync && phone office sync && phone east sync; }

echo "1..33"
"$BUILD/qianmod" init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >"$dir/out"
for space in grid village; do
  "$BUILD/qianmod" space add "$dir/hub" $space --schema fixtures/schemas/relations.json \
    --test-data >"$dir/out" 2>&1
  check $? "the hub has the space $space"
done
mkfifo "$dir/fifo"
"$BUILD/qianmod" run "$dir/hub" >"$dir/fifo" 2>"$dir/log" &
hub=$!
read -r line <"$dir/fifo"
port=${line##*:}
enroll() { # phone, role, spaces
  who=$1; role=$2; shift 2
  code=$("$BUILD/qianmod" enroll "$dir/hub" --member "Sample-$who" --role "$role" "$@" |
    sed -n 's/^  \([0-9A-Z*~$=-]*\)$/\1/p')
  phone "$who" init --test-data
  phone "$who" enroll --hub "127.0.0.1:$port" --code "$code"
}
enroll east grid --space grid --space village
enroll office office --space grid --space village
enroll street office --space village
both; check $? "phone and office meet"

# ---- basis
refused 'field illness: the field needs a basis' east new resident --space grid number=1 name=样例 illness=asthma
check $? "without a basis nothing is written"
refused '字段“illness”：该字段须有依据：同意或法定职责' \
  east --lang zh new resident --space grid number=1 illness=asthma
check $? "in Chinese"
new east new consent --space grid kind=consent notice=v3 given=2026-01-02 purposes=care
basis=$id
new east new resident --space grid number=1 name=样例 born=1950 basis="$basis" illness=asthma
check $? "with one it is"
resident=$id
refused 'a child under 14' east new resident --space grid number=2 born=2015 basis="$basis" illness=x
check $? "of a child its guardian's is needed"
both; phone office get resident "$resident" --space grid && says asthma; check $? "the office sees it"
phone office set consent "$basis" withdrawn=2026-05-01 --space grid; both
phone east get resident "$resident" --space grid && ! says asthma && says 'not shown'
check $? "after a withdrawal there the phone does not"
phone east log resident "$resident" --space grid && ! says asthma; check $? "nor its log"
phone east sql 'SELECT * FROM resident' --json && ! says asthma; check $? "nor its tables"
phone office --lang zh get resident "$resident" --space grid && says '不显示' && ! says asthma
check $? "nor the office"
refused 'it was withdrawn' east set resident "$resident" illness=flu --space grid
check $? "and nobody writes it"
new east new consent --space grid kind=duty provision='art. 13' office=Sample given=2026-05-02 purposes=care
phone east add resident "$resident" basis="$id" --space grid; both
phone office get resident "$resident" --space grid && says asthma; check $? "a new basis shows it again"

# ---- condition
refused 'field reporter: the field must be empty here (source)' \
  east new report --space grid source=confidential reporter=样例 officer=样例
check $? "a confidential report takes no name"
refused 'field officer: the field must be filled here' east new report --space grid source=confidential
check $? "and needs its officer"
new east new report --space grid source=seen officer=样例; both; report=$id
phone office set report "$report" source=confidential --space grid
phone east set report "$report" reporter=样例乙 --space grid; both
phone east conflicts --space grid && says 'against a condition on reporter' && ! says 样例乙
check $? "two who wrote against it find it listed"
phone office get report "$report" --space grid && ! says 样例乙; check $? "and the name is not shown"
phone office set report "$report" reporter= --space grid
phone office conflicts --space grid && ! says 'against'; check $? "until it is taken out"

# ---- covers
phone east append resident "$resident" points:='{"amount":500,"reason":"own word"}' --space grid
refused 'more than there is left (0)' east new redemption --space grid resident="$resident" cost=10 state=asked
check $? "a phone's own entries do not count"
phone office append resident "$resident" points:='{"amount":100,"reason":"swept"}' --space grid
phone office append resident "$resident" points:='{"amount":100,"reason":"swept"}' --space grid
phone office reverse resident "$resident" points 2 'entered twice' --space grid; check $? "an entry is reversed"
refused 'reversed already' office reverse resident "$resident" points 2 again --space grid
check $? "once"
both
new east new redemption --space grid resident="$resident" cost=70 state=asked
check $? "what the office confirmed may be asked for, offline"
first=$id
new office new redemption --space grid resident="$resident" cost=70 state=asked; second=$id
both; phone office conflicts --space grid && says 'more than there is: 30 left'
check $? "asked for twice, apart, the later one is listed"
refused 'more than there is left' office set redemption "$second" state=given --space grid
check $? "and is not granted before the first"
phone office set redemption "$first" state=given --space grid; check $? "the first is"
phone office set redemption "$second" state=declined --space grid
phone office conflicts --space grid && ! says 'more than'; check $? "the second is declined"

# ---- clash
new east new booking --space grid venue=hall first=2026-05-01 last=2026-05-02 state=asked
new office new booking --space grid venue=hall first=2026-05-02 last=2026-05-03 state=asked
both; phone east conflicts --space grid && says 'two that cannot both stand: twice'
check $? "a room that two booked is listed"
"$BUILD/qianmod" conflicts "$dir/hub" >"$dir/out" 2>"$dir/err"; says 'two that cannot both stand'
check $? "also at the hub"

# ---- referral
new east new report --space grid source=phone reporter=样例甲 text='the drain is blocked' severity=3
report=$id
phone east refer report "$report" village --space grid; check $? "a matter goes up"
both; phone street sync
phone street list report --space village && says 'the drain is blocked' && ! says 样例甲
check $? "the street sees what may cross"
upper=$("$BUILD/qianmo" --db "$dir/street.db" list report --space village --json |
  sed -n 's/^{"id":"\([0-9A-Z]*\)".*/\1/p')
phone street append report "$upper" answers:='{"text":"on Monday"}' --space village; phone street sync
both; phone east answers report --space grid && says '^1 answers'; check $? "its answer comes back"
phone east get report "$report" --space grid && says 'on Monday' && says Sample-street
check $? "with who gave it"
