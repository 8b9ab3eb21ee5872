#!/bin/sh
# Checks and time limits through hub and phones: what is refused where it is written, in both
# languages; a value from a phone whose schema is older is taken all the same; limits that both
# phones compute alike, in the zone of the calendar and not in that of the phone.
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
both() { phone east sync && phone west sync && phone east sync; }
# 2026-03-03 09:00 and 2026-02-14 10:00 at UTC+8
tuesday=1772499600000
swapped=1771034400000

echo "1..56"
"$BUILD/qianmo" schema check fixtures/schemas/limits.json >"$dir/out" 2>"$dir/err"
check $? "the schema is in order"
"$BUILD/qianmo" schema pack fixtures/schemas/limits.json >"$dir/packed.json" 2>"$dir/err"
check $? "it can be packed"
grep -q '"519901002"' "$dir/packed.json" && grep -q '"2026-02-14"' "$dir/packed.json"
check $? "with the codes and the calendar in it"
sed 's|areas-example|no-such|' fixtures/schemas/limits.json >"$dir/lost.json"
"$BUILD/qianmo" schema check "$dir/lost.json" >"$dir/out" 2>"$dir/err"
test $? = 3 && says 'no-such.json: No such file'; check $? "a file that is missing is named"
# The first version has neither checks nor limits.
sed -e 's/, "check": "[a-z-]*"//; s/, "check": {[^}]*}//' -e '/"limits": \[/,/^      \]/d' \
  -e 's/^      \],$/      ]/' "$dir/packed.json" >"$dir/old.json"
"$BUILD/qianmo" schema check "$dir/old.json" >"$dir/out" 2>"$dir/err"; check $? "an older one"
sed 's/"version": 1/"version": 2/' "$dir/packed.json" >"$dir/new.json"
"$BUILD/qianmo" schema diff "$dir/old.json" "$dir/new.json" >"$dir/out" 2>"$dir/err"
test $? = 0 && says 'limits on time changed' && says 'check changed'
check $? "may be followed by one with checks and limits"
"$BUILD/qianmo" --lang zh schema diff "$dir/old.json" "$dir/new.json" >"$dir/out" 2>"$dir/err"
says '时限有变' && says '校验有变'; check $? "also said in Chinese"

"$BUILD/qianmod" init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >"$dir/out"
"$BUILD/qianmod" space add "$dir/hub" grid --schema "$dir/old.json" --test-data >"$dir/out" 2>&1
check $? "the hub takes the older one"
mkfifo "$dir/fifo"
"$BUILD/qianmod" run "$dir/hub" >"$dir/fifo" 2>"$dir/log" &
hub=$!
read -r line <"$dir/fifo"
port=${line##*:}
for who in east west; do
  code=$("$BUILD/qianmod" enroll "$dir/hub" --member "Sample-$who" --role grid --space grid |
    sed -n 's/^  \([0-9A-Z*~$=-]*\)$/\1/p')
  phone "$who" init --test-data
  phone "$who" enroll --hub "127.0.0.1:$port" --code "$code"
done
both; check $? "both phones enrol"
phone west new incident no=1 category=garbage severity=2 text=桥头垃圾 area=519901002 contact=123 \
  reported_at=$tuesday stage=reported
check $? "without checks a phone writes what it likes"
phone west new incident no=9 category=leak contact=0; phone west sync; phone east sync
phone west set incident key:9 contact=12x; phone east set incident key:9 contact=12y
phone west due && says 'nothing is due'; check $? "and nothing is due"

"$BUILD/qianmod" space update "$dir/hub" grid --schema "$dir/new.json" >"$dir/out" 2>&1
check $? "the hub takes the newer one while that phone is away"
phone east sync; check $? "the other phone gets it"

refused 'field idno: the check character of the citizen number does not fit' \
  east new applicant name=样例 idno=340524198001010013
check $? "a wrong citizen number is refused"
refused '字段“公民身份号码”：公民身份号码的校验码与前 17 位不符' \
  east --lang zh new applicant name=样例 idno=340524198001010013
check $? "in Chinese with the label"
phone east new applicant name=样例 idno=34052419800101001x sex=1 relation=02 born=1980-01
check $? "a right one is taken, with a small x"
refused 'field sex: the code is not in the list' east new applicant name=样例 sex=7
check $? "a code that is in no list"
refused 'field born: the value must be YYYY, YYYY-MM or' east new applicant name=样例 born=80
check $? "a year of two digits"
refused 'field uscc: the check character of the social' east new unit uscc=91350100M000100Y44
check $? "a wrong credit code, as the key of a new record"
phone east list unit --json; test ! -s "$dir/out"; check $? "which was not made"
refused 'use the new one (519901001)' east --json new incident no=2 area=519901002
check $? "an area that was redrawn is refused"
says '"field":"area","reason":"code-moved","use":"519901001"'
check $? "and a program is told which one to use"
refused 'must say its datum' east new incident no=2 place=30.66,104.06
check $? "a point of an unknown datum"
phone east new incident no=2 category=违法搭建 severity=1 text=棚子 area=519901001201007 \
  place=30.66,104.06,5,gcj02 contact=028-87654321 reported_at=$tuesday stage=reported
check $? "all good values are taken"
refused 'needs \\*"receipt' east append incident key:2 'cost:={"amount":2000,"reason":"清运"}'
check $? "an entry without a receipt"
phone east append incident key:2 'cost:={"amount":2000,"reason":"清运","receipt":"R-1"}'
check $? "an entry with one"

both; check $? "both sync: nothing is refused or set aside"
phone west status --json; says '"set_aside":0' && says '"refused":0'
check $? "what was written before the checks came stays"
phone east get incident key:1 --json; says '"area":"519901002"' && says '"contact":"123"'
check $? "and is on the other phone, as it was written"
phone east set incident key:1 area=519901002; check $? "saving it as it is writes nothing"
phone east check --values
says '1 桥头垃圾 .*519901002 .*no longer in use' && says 'Phone .*12[xy] .*no telephone'
check $? "what a check speaks against is listed"
phone east check --values --lang zh --limit 1; says '共 [0-9]* 个值校验不通过' && says '更多\|--page 2'
check $? "in Chinese, a page at a time"
phone east check --values --json; says '"reason":"code-moved","detail":"519901001"' && says '"more":false'
check $? "and for programs"
phone east proposals; says 'nothing waits to be confirmed'; check $? "nothing is proposed"
refused 'field contact: this is no telephone' east set incident key:1 contact=12a
check $? "changing it must be to something good"
refused 'field contact: this is no telephone' east settle incident key:9 contact=12z
check $? "nor is a conflict settled for another bad value"
phone east settle incident key:9 contact=12x; check $? "but for one of those that were written"
phone east schema; says 'contact .* personal, check phone'; check $? "the schema is shown with checks"

TZ=America/New_York phone west due
says '2026-03-04 17:30 .*Incident .* 1 桥头垃圾 .*(1 working day) .*Reported'
check $? "one working day from Tuesday, in the calendar's zone"
says '2026-03-24 17:30 .* 2 棚子 .*(15 working days)'; check $? "fifteen"
phone west due --json; sed 's/,"now":.*//' "$dir/out" >"$dir/west"
phone east due --json; sed 's/,"now":.*//' "$dir/out" >"$dir/east"
cmp -s "$dir/east" "$dir/west"; check $? "both phones compute the same"
phone east due --overdue --json; test "$(grep -c '"overdue":true' "$dir/out")" = 2
check $? "both are overdue"
phone east set incident key:1 reported_at=$swapped
phone east due; says '2026-02-24 17:30 .* 1 桥头垃圾'; check $? "a swapped Saturday, then a festival"
phone east inc incident key:1 extended=2
phone east due; says '2026-02-26 17:30 .*(3 working days)'; check $? "extended by two days"
phone east set incident key:1 stage=handling && phone east set incident key:1 stage=suspended
phone east due; says 'paused .* 1 桥头垃圾' && says '2 open, 1 overdue, 1 paused'
check $? "what is suspended stands still"
phone east set incident key:2 stage=closed; phone east due --lang zh --overdue
says '没有超期事项'; check $? "what is closed is due no more"
phone east new incident no=3 category=heap severity=1 text=土堆 reported_at=4102444800000 \
  stage=reported
phone east due
says 'the calendar ends 2026: Saturdays and Sundays only'; check $? "a calendar that ends says so"
phone east sql "select no, datetime(_due/1000,'unixepoch','+8 hours') from incident_handling_overdue"
says '0 rows'; check $? "SQL has a view of what is overdue"
phone east sql 'select state, amount, unit, ends from incident_handling_limit order by 1'
says '4  working_days  2026'; check $? "and tables of limits"
phone east rebuild && phone east due --json && sed 's/,"now":.*//' "$dir/out" >"$dir/again"
phone east due --json; sed 's/,"now":.*//' "$dir/out" | cmp -s - "$dir/again"
check $? "made anew they are the same"

# A ledger: both phones reverse one entry without knowing of each other.
entry() { sed -n 's/.*"entry":"\([0-9a-f]*:[0-9]*\)".*/\1/p' "$dir/out"; }
phone east get incident key:2 --json; old=$(entry); test -n "$old"
check $? "an entry of a ledger has a name"
both
refused 'must have the opposite amount' east append incident key:2 \
  "cost:={\"amount\":-1999,\"reason\":\"x\",\"receipt\":\"R-2\",\"reverses\":\"$old\"}"
check $? "a reversal must have the opposite amount"
for who in east west; do
  phone $who append incident key:2 \
    "cost:={\"amount\":-2000,\"reason\":\"记错\",\"receipt\":\"R-2\",\"reverses\":\"$old\"}"
done
check $? "two phones reverse it, apart from each other"
refused '该流水已被冲正' east --lang zh append incident key:2 \
  "cost:={\"amount\":-2000,\"reason\":\"x\",\"receipt\":\"R-3\",\"reverses\":\"$old\"}"
check $? "a third time is refused"
both
phone west sql "select entries, balance from incident_cost_balance where balance is not null and
  entries > 0" --csv
says '^2,0'; check $? "the balance counts it once"
phone west sql 'select count(*) n, count(_reverses) r from incident_cost' --csv; says '^3,2'
check $? "and all entries stay"
