#!/bin/sh
# A hub whose spaces lie in several stores: phones see one hub, and every verb of its operator
# reads or writes all of them; a lost one is missed, and comes back from a phone.
. tests/e2e/with_hub

add() { hubd space add "$dir/hub" "$1" --schema fixtures/schemas/plain.json >"$dir/out"; }

stores() { # of the spaces, by name
  hubd space list "$dir/hub" --json | sed 's/.*"name":"\([^"]*\)".*"store":\([0-9]*\).*/\1=\2/' |
    tr '\n' ' '
}

all() { # a phone's households, of the spaces
  who=$1; shift
  for grid in "$@"; do phone "$who" --space "$grid" list household --json; done |
    sed -n '/"id"/{s/,"token":.*//;s/"own":[a-z]*,//g;p;}'
}

lines() { all "$@" | wc -l; }

echo "1..43"
"$BUILD/qianmod" init "$dir/no" --shards 17 >/dev/null 2>"$dir/out"; test $? = 2 && grep -q '1 to 16' "$dir/out"
check $? "a number of stores out of range is told"
hubd init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 --shards 3 >"$dir/out" &&
  test -f "$dir/hub/spaces.db" && test -f "$dir/hub/spaces-2.db" && test -f "$dir/hub/spaces-3.db" &&
  grep -q '^shards = 3$' "$dir/hub/qianmod.conf" && test -z "$(find "$dir/hub" -perm /077)"
check $? "a hub with three stores"
for grid in g1 g2 g3 g4; do add $grid || break; done
test "$(stores)" = "g1=1 g2=2 g3=3 g4=1 "
check $? "spaces go where the fewest are"
start
grep -q '4 spaces in 3 stores' "$dir/log"
check $? "it says what it serves"
enroll east g1 g2 g3 g4 && enroll west g1 g2 g3 g4 && enroll south g2
check $? "phones enrol for spaces of all of them"
for grid in g1 g2 g3 g4; do
  phone east --space $grid new household number=$grid-1 head=Wei >/dev/null || break
  phone west --space $grid new household number=$grid-2 head=Sun >/dev/null || break
done
phone east sync >/dev/null && phone west sync >/dev/null && phone east sync >/dev/null &&
  phone south sync >/dev/null
check $? "they sync"
test "$(lines east g1 g2 g3 g4)" = 8 && test "$(lines west g1 g2 g3 g4)" = 8
check $? "and hold what the other wrote, of every store"
test "$(lines south g2)" = 2 && test "$(phone south spaces --json | grep -c '"id"')" = 1
check $? "a phone of one space has that one alone"
add g5 && test "$(stores)" = "g1=1 g2=2 g3=3 g4=1 g5=2 " && enroll north g5 &&
  phone north new household number=g5-1 head=Qian >/dev/null && phone north sync >/dev/null
check $? "a space added while it runs is served"
device=$(hubd devices "$dir/hub" --json | grep '"member":"south"' | sed -n 's/.*"device":"\([^"]*\)".*/\1/p')
hubd reassign "$dir/hub" "$device" --space g2 g3 >/dev/null && phone south sync >/dev/null &&
  test "$(lines south g2 g3)" = 4
check $? "a space of another store is granted"
hubd devices "$dir/hub" --json | grep '"member":"east"' | grep -q '"behind":0'
check $? "sessions are noted"

# Both write one field: the office's lists are of all stores.
household=$(phone east --space g3 list household --json | sed -n 's/.*"id":"\([^"]*\)".*g3-1.*/\1/p' | head -1)
phone east --space g3 set household "$household" head=Zhou >/dev/null
phone west --space g3 set household "$household" head=Wu >/dev/null
phone east sync >/dev/null && phone west sync >/dev/null && phone east sync >/dev/null
hubd conflicts "$dir/hub" --json | grep -q '"space_name":"g3"'
check $? "a conflict in the third is listed"
hubd conflicts "$dir/hub" g3 | grep -q Zhou && { ! hubd conflicts "$dir/hub" g1 | grep -q Zhou; }
check $? "by its space, in a table"
hubd aside list "$dir/hub" >"$dir/out"
check $? "so is what is set aside"
hubd check "$dir/hub" >"$dir/digests" && test "$(grep -c '  g[1-5]$' "$dir/digests")" = 5 &&
  test ! -e "$dir/hub/check.tmp"
check $? "check reads all of them, beside the running hub"
hubd backup "$dir/hub" "$dir/backup" >"$dir/out" && grep -q '5 spaces' "$dir/out" &&
  test -f "$dir/backup/spaces-3.db"
check $? "so does backup"
stop
hubd maintain "$dir/hub" >/dev/null
check $? "maintain goes through all of them"
hubd check "$dir/hub" | grep '  g[1-5]$' | sort >"$dir/after" && sort "$dir/digests" | grep '  g[1-5]$' | cmp -s - "$dir/after"
check $? "the digests are as they were"

# Killed at a commit of whichever store.
phone east --space g2 new household number=g2-9 head=Feng >/dev/null
start --test-crash commit-before-ack:1
phone east sync >/dev/null; test $? != 0
check $? "killed before it acknowledges"
wait "$hub" 2>/dev/null; hub=
start && phone east sync >/dev/null && phone south sync >/dev/null && all south g2 | grep -q Feng
check $? "nothing of that is lost"
stop

# A backup that goes wrong at the third store makes nothing safe that is in the first.
start && phone east --space g1 new household number=g1-8 head=Shen >/dev/null && phone east sync >/dev/null
stop
cp "$dir/hub/spaces-3.db" "$dir/kept"
dd if=/dev/zero of="$dir/hub/spaces-3.db" bs=4096 seek=3 count=8 conv=notrunc 2>/dev/null
"$BUILD/qianmod" backup "$dir/hub" "$dir/half" >/dev/null 2>"$dir/out"; test $? = 7 && grep -q 'spaces-3.db' "$dir/out" &&
  test ! -e "$dir/half/qianmod.conf"
check $? "a damaged store ends a backup, and is named"
cat "$dir/kept" >"$dir/hub/spaces-3.db"
start && phone east sync >/dev/null && phone east status --json >"$dir/out"
test "$(sed -n 's/.*"safe":\([0-9]*\).*/\1/p' "$dir/out" | head -1)" -lt "$(sed -n 's/.*"written":\([0-9]*\).*/\1/p' "$dir/out" | head -1)"
check $? "and nothing counts as safe by it"
stop

# More stores, for the spaces that come.
sed -i 's/^shards = 3$/shards = 4/' "$dir/hub/qianmod.conf"
start && test -f "$dir/hub/spaces-4.db" && add g6 && test "$(stores)" = "g1=1 g2=2 g3=3 g4=1 g5=2 g6=4 "
check $? "a raised number makes another store, for new spaces"
stop
sed -i 's/^shards = 4$/shards = 1/' "$dir/hub/qianmod.conf"
start && phone west sync >/dev/null && grep -q '6 spaces in 4 stores' "$dir/log"
check $? "a lowered one leaves them"
stop

# A copy of the directory, and of one store alone, is another author's.
hubd restore "$dir/restored" "$dir/backup" >"$dir/out" && grep -q '5 spaces' "$dir/out"
check $? "restore brings all back"
hubd check "$dir/restored" | grep -c '  g[1-5]$' | grep -q 5
check $? "which can be checked"
rm "$dir/backup/spaces-3.db"
"$BUILD/qianmod" restore "$dir/again" "$dir/backup" >/dev/null 2>"$dir/out"; test $? = 3 && grep -q 'spaces-3.db' "$dir/out"
check $? "a backup that lacks one is refused, by its name"

# One of them is lost.
rm -f "$dir"/hub/spaces-2.db*
"$BUILD/qianmod" run "$dir/hub" --listen 127.0.0.1:0 >/dev/null 2>"$dir/out"; test $? = 3 && grep -q 'spaces-2.db' "$dir/out"
check $? "a hub does not serve without it, and says which"
device=$(hubd devices "$dir/hub" --json | grep '"member":"east"' | sed -n 's/.*"device":"\([^"]*\)".*/\1/p')
hubd recover "$dir/hub" "$device" --space g2 | grep -q g5 && test ! -e "$dir/hub/spaces-2.db"
check $? "recover tells of the other space in it, and makes nothing yet"
hubd run "$dir/hub" --listen 127.0.0.1:0 >/dev/null; test $? = 3
check $? "nor does the hub run"
other=$(hubd devices "$dir/hub" --json | grep '"member":"north"' | sed -n 's/.*"device":"\([^"]*\)".*/\1/p')
hubd recover "$dir/hub" "$other" --space g5 >/dev/null && test -f "$dir/hub/spaces-2.db"
check $? "once each space has a device it is made anew"
start && phone east sync >"$dir/out" && phone south sync >/dev/null && phone north sync >/dev/null
check $? "phones give their state of these spaces"
enroll new g5 && phone new sync >/dev/null && all new g5 | grep -q Qian
check $? "of both"
phone south new household --space g2 number=g2-10 head=Chu >/dev/null
phone south sync >/dev/null && phone east sync >/dev/null && all east g2 | grep -q Chu
check $? "the work goes on"
stop
hubd check "$dir/hub" >/dev/null
check $? "and the digests are in order"

# hub.db and one store are lost: the others are found behind the gap.
mkdir "$dir/gap" && cp "$dir"/hub/*.pem "$dir"/hub/*.key "$dir/hub/qianmod.conf" "$dir"/hub/spaces*.db "$dir/gap" &&
  rm "$dir/gap/spaces-2.db"
phone east export-hub "$dir/gap.hub" >/dev/null && hubd recover "$dir/gap" --from "$dir/gap.hub" >/dev/null &&
  hubd space list "$dir/gap" --json | grep '"name":"g3"' | grep -q '"store":3' && test -f "$dir/gap/spaces-2.db"
check $? "a store behind a lost one is found"

# Only keys and settings are left: new stores, as many as the settings say.
mkdir "$dir/keys" && cp "$dir"/hub/*.pem "$dir"/hub/*.key "$dir/hub/qianmod.conf" "$dir/keys" &&
  sed -i 's/^shards = 1$/shards = 2/' "$dir/keys/qianmod.conf" &&
  hubd recover "$dir/keys" --from "$dir/gap.hub" >/dev/null &&
  test "$(hubd space list "$dir/keys" --json | grep -c '"store":2')" = 2
check $? "spaces are spread over those that the settings ask for"

# A file that hub.db does not count must not be taken for an empty one.
hubd init "$dir/stray" --shards 1 >/dev/null && cp "$dir/hub/spaces-3.db" "$dir/stray/spaces-2.db" &&
  sed -i 's/^shards = 1$/shards = 2/' "$dir/stray/qianmod.conf"
"$BUILD/qianmod" run "$dir/stray" --listen 127.0.0.1:0 >/dev/null 2>"$dir/out"; test $? != 0 && grep -q "spaces-2.db has spaces unknown" "$dir/out"
check $? "a store that is not counted is not taken for an empty one"

# hub.db alone is lost: spaces are found where they are.
phone east export-hub "$dir/east.hub" >/dev/null && rm -f "$dir"/hub/hub.db*
hubd recover "$dir/hub" --from "$dir/east.hub" >"$dir/out"
check $? "a hub of which hub.db is lost begins again"
test "$(stores)" = "g1=1 g2=2 g3=3 g4=1 "
check $? "its spaces stay in the stores that have them"
start && phone east sync >/dev/null && phone west sync >/dev/null && phone east sync >/dev/null
check $? "phones sync with it"
stop
hubd check "$dir/hub" >"$dir/out"
check $? "and all of it is in order"
for who in east west; do all $who g1 g2 g3 g4 | sort >"$dir/$who.list"; done
cmp -s "$dir/east.list" "$dir/west.list" && test -s "$dir/east.list"
check $? "phones show the same"
sed 's/^/# /' "$dir/err"
