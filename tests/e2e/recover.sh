#!/bin/sh
# A hub loses its records. By its operator's word one phone gives its state back; until then
# nothing but changes is taken, and afterwards another phone brings what was missing; a new
# one takes the state from the hub.
. tests/e2e/with_hub

echo "1..25"
hubd init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >"$dir/out" &&
  hubd space add "$dir/hub" grid --schema fixtures/schemas/plain.json >"$dir/out"
check $? "a hub with a space"
start
for who in east west; do
  enroll "$who" grid
  check $? "phone $who enrols"
done
phone east new household number=101 head=Wei >/dev/null
record=$(phone east list household --json | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | head -1)
long=$(awk 'BEGIN { for (i = 0; i < 20000; i++) printf "x" }')
phone east append household "$record" notes="$long" >/dev/null
phone east sync >/dev/null && phone west sync >/dev/null
check $? "both sync"
phone west new household number=102 head=Sun >/dev/null
stop

rm -f "$dir"/hub/spaces.db*
check $? "the records are lost"
hubd recover "$dir/hub" ZZZZ --space grid >/dev/null; test $? = 3
check $? "recover wants a device that is known"
device=$(hubd devices "$dir/hub" --json | grep '"member":"east"' | sed -n 's/.*"device":"\([^"]*\)".*/\1/p')
hubd recover "$dir/hub" "$device" --space nowhere >/dev/null; test $? = 3
check $? "and a space that is known"
hubd recover "$dir/hub" "$device" --space grid | grep -q grid
check $? "the operator admits a device"
start
phone east sync >"$dir/out"
check $? "it syncs"
grep -q 'its state was taken' "$dir/log"
check $? "the hub took its state"
phone west sync >/dev/null && phone east sync >/dev/null
check $? "the other phone brings what was missing"
phone east list household >"$dir/east"
hubd check "$dir/hub" >/dev/null && grep -q Sun "$dir/east" && grep -q Wei "$dir/east"
check $? "everything is there"
enroll north grid &&
  phone north sync >/dev/null && phone north list household >"$dir/north" &&
  grep -q Sun "$dir/north" && grep -q Wei "$dir/north"
check $? "a new phone takes the state"
phone north new household number=103 head=Qian >/dev/null && phone north sync >/dev/null &&
  phone west sync >/dev/null && phone west list household | grep -q Qian
check $? "and works on from there"

# The whole disk is gone, but for a copy of the keys.
phone north new household number=104 head=Zhou >/dev/null && phone north sync >/dev/null
phone east sync >/dev/null
phone west new household number=105 head=Wu >/dev/null
stop
mkdir "$dir/keys" && cp "$dir"/hub/*.pem "$dir"/hub/*.key "$dir/hub/qianmod.conf" "$dir/keys" &&
  rm -rf "$dir/hub" && mkdir -m 700 "$dir/hub" && cp "$dir"/keys/* "$dir/hub"
check $? "only the keys are left"
phone east export-hub "$dir/east.hub" >/dev/null && test -z "$(find "$dir/east.hub" -perm /077)"
check $? "a phone writes what it knows of the hub"
phone east export-hub "$dir/east.hub" >/dev/null; test $? != 0
check $? "and replaces no file"
mv "$dir/hub/ca.key" "$dir/kept"
"$BUILD/qianmod" recover "$dir/hub" --from "$dir/east.hub" 2>&1 | grep -q 'ca.key is missing'
check $? "without a key it is told what is missing"
mv "$dir/kept" "$dir/hub/ca.key"
head -c 300 "$dir/east.hub" >"$dir/torn"
hubd recover "$dir/hub" --from "$dir/torn" >/dev/null; test $? != 0
check $? "a torn file is refused"
hubd init "$dir/other" --name 'Other Bridge' >/dev/null
hubd recover "$dir/other" --from "$dir/east.hub" >/dev/null; test $? = 5
check $? "so is that of another hub"
hubd recover "$dir/hub" --from "$dir/east.hub" >"$dir/out" && grep -q '1 spaces and 3 devices' "$dir/out"
check $? "the hub begins again"
hubd recover "$dir/hub" --from "$dir/east.hub" >/dev/null; test $? != 0
check $? "once"
start
phone east sync >"$dir/out" && phone west sync >"$dir/out" && phone north sync >"$dir/out" &&
  phone west sync >/dev/null && phone east sync >/dev/null
check $? "the phones sync with their old certificates"
phone east list household >"$dir/east"
stop
hubd check "$dir/hub" >/dev/null && for who in Wei Sun Qian Zhou Wu; do
  grep -q $who "$dir/east" || echo "$who is missing"
done | { ! grep .; }
check $? "everything is there again"
hubd devices "$dir/hub" >"$dir/out" && grep -q west "$dir/out" && grep -q north "$dir/out"
check $? "and whose devices there are"
sed 's/^/# /' "$dir/err"
