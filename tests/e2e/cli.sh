#!/bin/bash
# The command line, without a network: verbs, exit codes, languages, bad input, damage.
# Every call is one TAP case: expected exit code, and what stdout and stderr must say.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
dir=$(mktemp -d) || exit 1
trap 'chmod -R u+rwX "$dir"; rm -rf "$dir"' EXIT
chmod 755 "$dir"
cp "$build/qianmo" "$dir/qianmo" || exit 1
cp -r "$here/fixtures/schemas/." "$dir/"
cd "$dir" || exit 1
unset LANG LANGUAGE LC_MESSAGES QIANMO_DB NO_COLOR
export LC_ALL=C TZ=CST-8

cases=0
report() { # RESULT NAME
  cases=$((cases + 1))
  if [ "$1" = 0 ]; then
    echo "ok $cases - cli: ${2//$'\n'/ }"
  else
    echo "not ok $cases - cli: ${2//$'\n'/ }"
    sed 's/^/# stdout: /' out
    sed 's/^/# stderr: /' err
  fi
}

# q EXIT PATTERN ARGUMENT...: stdout and stderr together match the pattern (ERE, or empty).
q() {
  local want=$1 pattern=$2 got bad=0
  shift 2
  ./qianmo "$@" >out 2>err </dev/null
  got=$?
  [ "$got" = "$want" ] || bad=1
  [ -z "$pattern" ] || cat out err | grep -Eq -- "$pattern" || bad=1
  # Whatever the verb, --json prints an object a line, and errors as one object.
  case " $* " in *" --json "*) cat out err >>json.log ;; esac
  report "$bad" "$* => $want (got $got)"
}

says() { # NAME PATTERN: the last output has a line like this
  cat out err | grep -Eq -- "$2"
  report $? "$1"
}

silent() { # NAME PATTERN: the last output has none
  ! cat out err | grep -Eq -- "$2"
  report $? "$1"
}

same() { # NAME GOT WANT
  printf '%s\n' "$2" >out
  printf '%s\n' "$3" >err
  [ "$2" = "$3" ]
  report $? "$1"
}

# field NAME: of the one object on stdin
field() { perl -MJSON::PP -e 'local $/; my $o = decode_json(<STDIN>); print $o->{$ARGV[0]}' "$1"; }
id_of() { ./qianmo --json get "$1" "$2" --deleted | field id; }
token_of() { ./qianmo --json get "$1" "$2" | field token; }

# Runs as somebody whom file modes bind, also where the tests run as root.
as_user() {
  perl -MPOSIX -e 'if ($> == 0) { $) = "65534 65534"; setgid(65534); setuid(65534); }
                   exec { $ARGV[0] } @ARGV or exit 127' "$@"
}

# ---- setting up ----
q 3 'no database ./qianmo.db; make one with `qianmo init`' status
q 3 'no such directory' --db nowhere/x.db init
q 2 'cannot read missing.json' init --schema missing.json
q 0 'space "plain" has schema "plain", version 1' init --schema plain.json
q 2 'exists already; nothing was changed' init
q 0 'number +Household number +register +text +work, natural key' schema
q 0 'reported/assigned' schema
q 0 'plain +[0-9A-Z]{26} +read, write +plain +1 +without a hub' spaces
q 0 'not enrolled' status
same 'files are for the owner only' "$(stat -c %a qianmo.db qianmo.db.instance | sort -u)" 600

# ---- writing and reading ----
q 0 '^[0-9A-Z]{26}$' new household number=12 head='A. Sample' address='Lane 3' tags=elderly
q 0 'opened, and the other fields were not' new household number=12 head='B. Sample'
q 0 'head +A. Sample$' get household key:12
q 0 '^[0-9A-Z]{26}$' --lang zh new household 户号=13 户主=样例乙 服务标签=老人
q 0 '^saved: household key:12$' set household key:12 phone=000-0012 address='Lane 4'
q 0 'nothing to do' set household key:12 phone=000-0012
q 0 saved add household key:12 tags='lives alone'
q 0 saved remove household key:12 tags=elderly
q 0 'tags .*lives alone$' get household key:12
q 0 saved inc household key:12 visits
q 0 saved inc household key:12 visits=5
q 0 saved inc household key:12 visits=-2
q 0 saved append household key:12 notes='first line
second line'
q 0 saved raise household key:12 last_visit=2026-03-01
q 0 'visits +4$' get household key:12
says 'a text keeps its lines' '^ +second line$'
q 0 '^[0-9A-Z]{6} +12$' list household --fields number
says 'a table counts its records' '^2 records$'
q 0 'there are more' list household --limit 1
q 0 '户号 +户主 +住址' --lang zh list household
q 0 'no records in incident' list incident
id=$(id_of household key:12)
q 0 "household $id" get household "${id:0:6}"
q 0 "household $id" get household "$(printf %s "$id" | tr A-Z a-z)"
q 0 '^[0-9A-Z]{26}$' new incident title='street light out' stage=已上报 household="$id" \
  place=31.2,121.4,12,gcj02 steps='called'
q 0 'street light out +reported +31.2, 121.4 ±12 m, gcj02 +[0-9A-Z]{8} +called' list incident
q 0 'title +set +street light out' log incident "$(./qianmo --json list incident | field id)"
q 0 '"written":2' --json new incident title:='"31"'
q 0 saved set household key:12 phone=
./qianmo get household key:12 >out 2>err
silent 'an empty value clears a field' phone
item=$(./qianmo new incident title='wet wall' plan='call the plumber' plan='look again')
q 0 saved insert incident "$item" plan=photo plan='ask the owner' --at 1
q 0 '^ +3  call the plumber$' get incident "$item"
q 0 saved replace incident "$item" plan='call the roofer' --at 3
q 0 saved remove incident "$item" plan --at 1 --count 2
q 0 saved append incident "$item" 办理计划=report
q 0 '"plan":\["call the roofer","look again","report"\]' --json get incident "$item"
q 0 'plan +cut out +2 elements' log incident "$item"
q 0 saved set incident "$item" 'plan:=["look again"]'
q 0 '^  plan +1  look again$' get incident "$item"
q 5 'the whole list is set as a JSON array' set incident "$item" plan=x
q 2 'counted from 1' replace incident "$item" plan=x
q 2 'whole number from 1' insert incident "$item" plan=x --at 0
q 2 'position beyond the end of the list' insert incident "$item" plan=x --at 3
q 2 'position beyond the end of the list' remove incident "$item" plan --at 1 --count 2
q 2 'takes one FIELD' remove incident "$item" plan=x --at 1
q 2 'goes with --at only' remove incident "$item" plan=x --count 1
q 2 'remove does not fit field "plan", which is a list' remove incident "$item" plan=x
q 2 'insert does not fit field "title"' insert incident "$item" title=x --at 1
q 5 'the text is too long' insert incident "$item" plan="$(printf '%081d' 0)"
token=$(token_of incident "$item")
q 0 saved insert incident "$item" plan=now --at 1 --token "$token"
q 4 '' insert incident "$item" plan=late --at 1 --token "$token"
q 0 saved delete incident "$item"
ms=$(./qianmo --json log household key:12 | head -1 | field time)
q 0 "$(perl -MPOSIX=strftime -e 'print strftime "%Y-%m-%d %H:%M:%S", gmtime($ARGV[0] / 1000 + 28800)' "$ms")" \
  log household key:12
printf 'a\033[31mb\a' >value
q 0 saved set household key:12 head="$(cat value)"
q 0 'a.*\[31mb' get household key:12
silent 'no value reaches the terminal raw' "$(printf '[\033\007]')"
q 0 saved set household key:12 head='A. Sample'

# ---- conflicts: a write from an older reading ----
token=$(token_of household key:12)
q 0 '' set household key:12 head=Other
q 0 saved set household key:12 head=Mine --token "$token"
q 0 '! Other +— by this device, 20.*overwritten unread' get household key:12
q 0 'head +Mine +— by this device' get household key:12
q 0 '! marks a conflict' list household
q 0 '1 conflict' conflicts
q 0 'no conflicts' conflicts incident
q 0 '未读就被覆盖' --lang zh conflicts
q 0 '^conflicts +1 \(high 1\)$' status
q 0 '^[0-9A-Z]{5} +high +Household [0-9A-Z]{6} 12 Mine +Head +1\* +Mine +this device +20.*overwritten unread' conflicts
q 0 'To decide: qianmo settle [0-9A-Z]{5} --take 2' conflicts
q 0 '"class":"unread"' --json conflicts household
q 3 'no conflict' settle ZZZZ head=Mine
q 0 saved settle "${id:0:6}" head=Mine
q 0 'no conflicts' conflicts
q 0 saved settle household key:12 head=Mine
q 2 'token.*EINVAL' set household key:12 head=X --token 00

# ---- merged records ----
first=$(id_of household key:12)
second=$(id_of household key:13)
q 2 'itself' merge household key:12 key:12
q 0 '^merged: household key:12 and key:13' merge household key:12 key:13
q 0 'nothing to do' merge household "$second" "$first"
q 0 'merged with' get household "$second"
q 0 '合并' --lang zh get household "$first"
q 0 '"merged":\["' --json get household key:13
q 0 'merged records differ' conflicts
least=$(printf '%s\n%s\n' "$first" "$second" | LC_ALL=C sort | head -n 1)
q 0 'merged with' log household "$least"
q 0 '^1 record' list household
q 0 'taken out' unmerge household "$second"
q 0 '^2 records' list household
q 0 'nothing to do' unmerge household "$second"
q 2 'no such device' split household key:12
q 0 'no conflicts' conflicts

# ---- deleting ----
other=$(id_of household key:13)
token=$(token_of household key:13)
q 0 saved delete household key:13
q 3 'no such record' get household key:13
q 3 'restore household RECORD.*EINVISIBLE' get household "$other"
q 3 EINVISIBLE set household "$other" head=X
q 0 'deleted' get household "$other" --deleted
q 0 '\(deleted\) 13' list household --deleted
q 0 '1 record$' list household
q 0 saved restore household "$other"
token=$(token_of household key:13)
q 0 '' set household key:13 head=Later
q 0 '' delete household "$other" --token "$token"
q 0 'deleted by one, edited by another' conflicts
q 0 saved restore household "$other"
q 0 'no conflicts' conflicts

# ---- wrong usage: 2, with the nearest name ----
q 2 'no verb given'
q 2 'unknown verb "gett"; did you mean "get"' gett household key:12
q 2 'unknown verb "frobnicate"; see qianmo --help' frobnicate
q 2 'unknown option --jsno; did you mean --json' --jsno status
q 2 'unknown option -x; see --help' status -x
q 2 'option --db needs a value' status --db
q 2 'option --json takes no value' --json=1 status
q 2 'given twice' --db a --db b status
q 2 'option --token does not go with list' list household --token 00
q 2 '\-\-lang takes zh or en' --lang fr status
q 2 'enroll needs --hub' enroll
q 2 'no collection "houshold"; did you mean "household"' list houshold
q 2 'no collection "xyz"; there are: household, incident' list xyz
q 2 'no field "hed" in household; did you mean "head"' set household key:12 hed=x
q 2 'no field "qqqqqq" in household; there are: number, head' set household key:12 qqqqqq=x
q 2 'too few arguments. Usage: qianmo set COLLECTION RECORD' set household key:12
q 2 'too few' get household
q 2 'too many' delete household key:12 key:13
q 2 'argument 3 of set is not FIELD=VALUE' set household key:12 canary-9137
silent 'an argument that may be a value is not repeated' canary-9137
q 2 'names no field' set household key:12 =x
q 2 'set does not fit field "tags", which is a set; use add, remove' set household key:12 tags=x
q 2 'use inc' set household key:12 visits=3
q 2 'whole numbers' inc household key:12 visits=many
q 2 'whole number from 1' list household --limit none
q 2 'given twice' new household number=1 number=2
q 3 'named by its id, the first four or more characters of it, or key:VALUE' get household key:nobody
q 3 'no such record' set household ZZZZ head=x
q 3 'no such space' --space nowhere list household
q 5 'must be a date as YYYY-MM-DD.*ESCHEMA' raise household key:12 last_visit=canary-9137
silent 'a refused value is not repeated' canary-9137
q 5 'takes one of: reported, assigned' new incident title=x stage=zzz
q 5 'did you mean "reported"' new incident title=x stage=repotred
q 5 ESCHEMA new incident title=x place=here
./qianmo list incident --fields title >out 2>err
silent 'a refused verb leaves nothing behind' '^[0-9A-Z]+ +x$'

# ---- several spaces ----
q 0 'space "tiny" has schema "tiny"' schema tiny.json --space tiny
q 2 'say which with --space' list household
q 0 '2 records' --space plain list household
q 0 '"records":' --json status
q 0 saved --space plain set household key:12 head='A. Sample'

# ---- schemas ----
q 5 ESCHEMA --db bad.db init --schema bad/no-name.json
q 5 'clas.*--test-data|sensitive' --db bad.db init --schema village.json
same 'an init that was refused leaves no file' "$(ls | grep -c '^bad\.db')" 0
q 0 'schema "village"' --db bad.db init --schema village.json --test-data
q 0 'invented data only' --db bad.db status
q 0 'next: .qianmo enroll' --db plain.db init
q 3 'no space yet' --db plain.db list household

q 0 'plain, version 1, is in order: 2 collections' schema check plain.json
q 0 '"collections":2' --json schema check plain.json
q 0 '没有问题' --lang zh schema check plain.json
q 5 'bad/no-purpose.json is not in order: line [0-9]+: collections.0..purpose: is missing' \
  schema check bad/no-purpose.json
q 5 'line [0-9]+: .*retention' schema check bad/no-retention.json
q 5 'line [0-9]+: .*never reused' schema check bad/reused-number.json
q 5 '"code":"ESCHEMA".*line' --json schema check bad/bad-type.json
q 5 '有错' --lang zh schema check bad/bad-type.json
for f in bad/*.json; do q 5 'is not in order' schema check "$f"; done
q 2 'cannot read missing.json' schema check missing.json
q 2 'too few' schema check
q 2 'too few' schema diff plain.json
q 2 'too many' schema check plain.json plain.json
q 2 'too many' schema plain.json plain.json
perl -MJSON::PP -e '
  local $/; open my $in, "<", "plain.json"; my $s = decode_json(<$in>); my $f = $s->{collections}[0]{fields};
  my $out = sub { open my $o, ">", $_[0]; print $o JSON::PP->new->utf8->canonical->encode($s) };
  $s->{version} = 2; push @$f, {name => "email", number => 999, type => "register", value => "text", class => "work"};
  $out->("plain-2.json");
  $f->[-1]{type} = "set"; $s->{version} = 3; $out->("plain-type.json");
  $f->[-1]{type} = "register"; $f->[-1]{name} = "fax"; $out->("plain-reused.json");
  pop @$f; $out->("plain-removed.json");'
q 0 'household.email +new field' schema diff plain.json plain-2.json
q 0 'no differences' schema diff plain.json plain.json
q 0 '' --json schema diff plain.json plain.json
same 'no line for no difference' "$(cat out)" ''
q 0 '新增字段' --lang zh schema diff plain.json plain-2.json
q 5 'household.email +type changed; take a new number +register → set +refused' \
  schema diff plain-2.json plain-type.json
q 5 'email → fax +refused' schema diff plain-2.json plain-reused.json
q 5 'household.email +field removed +refused' schema diff plain-2.json plain-removed.json
q 5 '"change":"field-removed","refused":true' --json schema diff plain-2.json plain-removed.json
q 5 '版本号没有升高' --lang zh schema diff plain-2.json plain.json
q 5 'bad/no-type.json is not in order' schema diff plain.json bad/no-type.json
q 2 'cannot read' schema diff plain.json missing.json
q 0 'schema "plain", version 2' --space plain schema plain-2.json
q 5 'the type changed' --space plain schema plain-type.json

# ---- what changed ----
q 0 'anything may have changed' --space plain changes
cursor=$(./qianmo --json changes | field cursor)
q 0 '' --json changes --since "$cursor"
same 'nothing changed' "$(cat out)" ''
q 0 saved --space plain set household key:12 phone=000-4444
q 0 'household [0-9A-Z]{8}  phone  .here.' changes --since "$cursor"
q 0 'phone  .本机.' --lang zh changes --since "$cursor"
q 0 '"fields":\["phone"\],"presence":false,"local":true,"remote":false' --json changes --since "$cursor"
q 0 '"phone"' --json changes --since "$cursor" --limit 1 --follow
next=$(field cursor <out)
(./qianmo --space plain set household key:12 phone=000-5555 >/dev/null) &
q 0 '"fields":\["phone"\]' --json changes --since "$next" --follow --limit 1
wait $!
q 0 'anything may have changed' changes --since 00c0ffee00c0ffee-1
q 2 'no cursor' changes --since yesterday
q 2 'limit' changes --limit 0
q 2 'cursor' changes --since "$(printf '%100s' x)"
q 2 'too many' changes household

# ---- network and hub: 2 and 4 ----
zeros=0000-0000-0000-0000-0000-0000-0000-0000-0000-0
q 2 'not enrolled' --space plain sync
q 0 'refused nothing' export-refused
q 2 ECODE enroll --hub 127.0.0.1:1 --code 0000-1111
q 2 'HOST:PORT' enroll --hub nonsense --code $zeros
q 4 'ENET' enroll --hub 127.0.0.1:1 --code $zeros
q 4 '网络不通' --lang zh enroll --hub 127.0.0.1:1 --code $zeros
q 4 '"code":"ENET","number":-90' --json enroll --hub 127.0.0.1:1 --code $zeros

# ---- JSON ----
q 0 '"existing":false,"written":[1-9]' --json --space plain new household number=14
q 0 '"existing":true,"written":0' --json --space plain new household number=14
q 0 '"written":1' --json --space plain set household key:14 head='quoted "name"'
q 0 'quoted \\"name\\"' --json --space plain get household key:14
q 0 '"written":0' --json --space plain set household key:14 head='quoted "name"'
q 0 '' --json --space plain list household
q 0 '"local":true' --json spaces
q 0 '"collections":' --json --space plain schema
q 0 '"op":"new"' --json --space plain log household key:14
q 0 '"version":"' --json version
q 3 '^\{"error":\{"code":"ENOTFOUND","number":-60,"message":"no such record' \
  --json --space plain get household key:nobody
q 2 '"code":"EUSAGE"' --json frobnicate
q 0 '"db":"./new.db"' --json --db ./new.db init
perl -MJSON::PP -ne 'BEGIN { $n = 0 } my $o = decode_json($_); $n++; ref $o eq "HASH" or die "$_";
  END { exit($n > 15 ? 0 : 1) }' json.log >out 2>err
report $? 'every line under --json is one object'

# ---- help and languages ----
q 0 '^  export-refused ' --help
q 0 'Exit codes: 0 done' -h
q 0 'Usage: qianmo \[OPTION…\] set COLLECTION RECORD' set --help
q 0 '用法：qianmo \[选项…\] set 集合 记录' --lang zh help set
q 2 '没有命令“gett”，是不是“get”' --lang zh help gett
q 0 '--via memory' replay --help
for verb in $(./qianmo --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'); do
  for lang in en zh; do
    ./qianmo help "$verb" --lang $lang >out 2>err || echo failed >>err
    [ -s out ] && [ ! -s err ]
    report $? "help $verb in $lang"
  done
done
LC_ALL='' LANG=zh_CN.UTF-8 ./qianmo status --db none.db >out 2>err
says 'LANG chooses the language' '没有数据库 none.db'
LC_ALL='' LC_MESSAGES=en_US.UTF-8 LANG=zh_CN.UTF-8 ./qianmo status --db none.db >out 2>err
says 'LC_MESSAGES goes before LANG' 'no database none.db'
LC_ALL=zh_CN.UTF-8 ./qianmo status --db none.db --lang en >out 2>err
says '--lang goes before the environment' 'no database none.db'
q 3 'ENOTFOUND' --lang zh status --db none.db
q 0 '设备 +[0-9A-Z]{26}' --lang zh status
q 0 '本机' --lang zh --space plain log household key:12

# Both texts of a message take the same arguments in the same order.
perl - "$here/adapters/cli/i18n_messages.h" "$here/adapters/cli/i18n_help.c" >out 2>err <<'PERL'
use strict; use warnings;
my ($messages) = @ARGV;
open my $in, '<:raw', $messages or die "$messages: $!\n";
local $/; my $text = <$in>;
$text =~ s/\\\n//g;
my $string = qr/"(?:\\.|[^"\\])*"/; my ($n, $bad) = (0, 0);
while ($text =~ /\bX\((\w+),\s*((?:$string\s*)+),\s*((?:$string\s*)+)\)/g) {
  my ($id, @both) = ($1, $2, $3);
  $n++;
  my @args = map { my $s = $_; $s =~ s/%%//g; join ' ', $s =~ /%[-+0-9.]*[a-z]+/g } @both;
  $bad++, print "$id: ($args[0]) and ($args[1])\n" if $args[0] ne $args[1];
  $bad++, print "$id: no Chinese\n" if $both[0] =~ /[a-z]{4}/i && $both[1] eq $both[0]
    && $id ne 'VERSION';
}
print "$n messages\n";
exit($n > 150 && !$bad ? 0 : 1);
PERL
report $? 'messages in both languages take the same arguments'

# ---- colours ----
./qianmo --space plain list household >out 2>err
silent 'no colours in a pipe' "$(printf '\033')"

# ---- damage, other versions, storage ----
printf 'this is no database\n' >garbage.db
q 7 'EFORMAT' --db garbage.db status
: >empty.db
q 7 'EFORMAT' --db empty.db status
head -c 5000 qianmo.db >cut.db
q 7 'ECORRUPT|EFORMAT' --db cut.db status
cp qianmo.db torn.db
perl -e 'open my $f, "+<", "torn.db" or die; seek $f, 4096, 0; print $f "\xA5" x 12288'
q 7 '' --db torn.db --space plain list household
q 7 '' --db torn.db --space plain new household number=99
cp qianmo.db newer.db
perl -e 'open my $f, "+<", "newer.db" or die; seek $f, 60, 0; print $f pack("N", 99)'
q 5 'update qianmo.*ENEWER' --db newer.db status
q 5 '请更新 qianmo' --lang zh --db newer.db status
cp qianmo.db whole.db
mkdir closed
cp qianmo.db closed/there.db
chmod 444 closed/there.db
chmod 555 closed
q_as_user() {
  local want=$1 pattern=$2 got bad=0
  shift 2
  as_user ./qianmo "$@" >out 2>err </dev/null
  got=$?
  [ "$got" = "$want" ] && cat out err | grep -Eq -- "$pattern" || bad=1
  report "$bad" "$* in a read-only place => $want (got $got)"
}
q_as_user 6 EREADONLY --db closed/new.db init
q_as_user 6 EREADONLY --db closed/there.db --space plain new household number=15
same 'a refused write leaves the file alone' "$(cmp closed/there.db whole.db && echo same)" same
./qianmo --space plain list household >/dev/full 2>err
got=$?
: >out
same 'output that is lost is an error' $got 6
(
  # A full disk, played by a limit on the size of files.
  trap '' XFSZ
  ulimit -f 480
  for i in 1 2 3 4 5 6 7 8; do
    ./qianmo --db full.db init --schema plain.json >/dev/null 2>&1
    ./qianmo --db full.db new household number=$i \
      notes="$(perl -e 'srand 7; print map { chr(97 + rand 26) } 1 .. 20000')" >>ids 2>err || exit $?
  done
)
got=$?
cp ids out
same 'a full disk is storage' $got 6
./qianmo --db full.db list household --fields number >out 2>err
says 'and keeps what was saved' "^$(grep -c . ids) records"
q 0 '' --db full.db new household number=99
echo "1..$cases"
