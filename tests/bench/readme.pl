#!/usr/bin/env perl
# Writes the tables of README.md, between its two marker comments, from build/bench.json (and
# build/bench-peers.json, where the peers were played). Files have a row a line.
#   tests/bench/readme.pl [README [BENCH [PEERS]]]
use strict;
use warnings;

my ($readme, $bench, $peers) = @ARGV;
$readme //= 'README.md';
$bench  //= 'build/bench.json';
$peers  //= 'build/bench-peers.json';
my ($begin, $end) = ('<!-- figures: begin -->', '<!-- figures: end -->');

# What a figure is called, in the order in which they are shown. What stands nowhere here is
# shown under its id at the end of its group.
my @groups = (
  ['Form saves: village-grid-seed1, 88,869 ops in 15,469 saves by 6 devices, 330 uploads', 'grid', [
    ['grid.local_memory'              => 'local, memory store, one commit a save'],
    ['grid.local_sqlite_normal'       => 'local, SQLite in WAL, NORMAL, without tables'],
    ['grid.local_sqlite_tables'       => 'the same with tables'],
    ['grid.local_sqlite_full'         => 'the same, FULL'],
    ['grid.local_sqlite_full.fsyncs'  => 'fsyncs of that'],
    ['grid.local_sqlite_full.fsync'   => 'time of one (wall)'],
    ['grid.hub_memory'                => 'hub merge, memory'],
    ['grid.hub_memory.peak'           => 'memory of that at most'],
    ['grid.hub_memory.allocations'    => 'allocations of that'],
    ['grid.hub_sqlite.cpu'            => 'hub merge, SQLite, durable'],
    ['grid.hub_sqlite.fsyncs'         => 'fsyncs of that'],
    ['grid.hub_sqlite.file'           => 'its database'],
    ['grid.hub_bulk.cpu'              => 'hub merge, SQLite, one batch'],
    ['grid.upload_bytes'              => 'uploaded, all, without a dictionary'],
    ['grid.upload_bytes.drawn'        => 'uploaded, trace of a seed drawn at run time'],
    ['grid.upload_bytes_dict'         => 'uploaded, all, with the dictionary'],
    ['grid.upload_bytes_dict.drawn'   => 'uploaded with it, trace of a seed drawn at run time'],
    ['grid.history'                   => 'full history'],
    ['grid.snapshot'                  => 'state snapshot'],
    ['grid.load'                      => 'load the state and read every field'],
    ['grid.limit.chains'              => 'limit: uploads decoded and their hash chains computed, no more'],
    ['grid.limit.rows'                => 'limit: SQLite alone, each upload a commit, each final state a row'],
    ['grid.limit.rows_bulk'           => 'limit: the same in one commit'],
  ]],
  ['Typing: automerge-paper, 259,778 edits; friendsforever and clownschool are concurrent', 'text', [
    ['text.local'          => 'local, one transaction'],
    ['text.local.each'     => 'local, one commit an edit'],
    ['text.load'           => 'load, read, first edit'],
    ['text.merge'          => 'the whole document into an empty one'],
    ['text.keystrokes'     => 'keystrokes, each a change of its own'],
    ['text.history'        => 'encoded with history'],
    ['text.state'          => 'encoded without'],
    ['text.friendsforever' => 'merge friendsforever'],
    ['text.clownschool'    => 'merge clownschool'],
    ['text.friendsforever.pushes' => 'merge friendsforever, each of 2,447 pushes a batch'],
    ['text.clownschool.pushes'    => 'merge clownschool, each of 3,856 pushes a batch'],
    ['text.limit.merge'      => 'limit: the document decoded and its hash chain computed, no more'],
    ['text.limit.keystrokes' => 'limit: the same of the keystrokes'],
    ['text.limit.friendsforever' => 'limit: the same of friendsforever'],
    ['text.limit.clownschool'    => 'limit: the same of clownschool'],
  ]],
  ['A session, before TLS', 'session', [
    ['session.live'          => 'one short field in an open session, without seed and signature'],
    ['session.nothing_up'    => 'nothing new: up'],
    ['session.nothing_down'  => 'nothing new: down'],
    ['session.nothing_trips' => 'nothing new: round trips after the handshake'],
  ]],
  ['Sync day: 50 devices in 10 grids, 200 edits of 4 fields each, all at once over TLS', 'day', [
    ['day.cpu'                   => 'hub, an edit, acknowledged after fsync'],
    ['day.devices_cpu'           => 'devices, an edit'],
    ['day.wall'                  => 'until all hold all'],
    ['day.wall_with_handshakes'  => 'the same with connecting'],
    ['day.up'                    => 'up, a device, before TLS'],
    ['day.down'                  => 'down, a device, before TLS'],
    ['day.nothing_up'            => 'nothing new: up'],
    ['day.nothing_down'          => 'nothing new: down'],
    ['day.nothing_trips'         => 'nothing new: round trips after the handshake'],
    ['day.200.cpu'               => '200 devices in 40 grids: hub, an edit'],
    ['day.200.wall'              => '200 devices: until all hold all'],
    ['day.200.one_store.cpu'     => '200 devices, all spaces in one store: hub, an edit'],
    ['day.200.one_store.wall'    => '200 devices, one store: until all hold all'],
    ['day.bootstrap.wall'        => '3,000 records into an empty device'],
    ['day.bootstrap.bytes'       => 'bytes of that'],
    ['day.bootstrap.cpu'         => 'hub, CPU of that'],
    ['day.bootstrap.device_cpu'  => 'device, CPU of that'],
    ['day.handshake_cpu'         => 'hub, a connection and its hello'],
    ['day.idle.connections'      => 'idle connections held at once'],
    ['day.idle'                  => 'hub, memory of 1,000 of them'],
    ['day.idle.cpu'              => 'hub, CPU while nothing is said'],
  ]],
  ['In an app: 100,000 records, a form of three fields', 'embed', [
    ['embed.so.x86_64'            => 'shared object with all it needs, x86-64'],
    ['embed.so.aarch64'           => 'the same, aarch64'],
    ['embed.so.armhf'             => 'the same, armhf'],
    ['embed.cold.open'            => 'open, file not in memory (wall)'],
    ['embed.cold.first_query'     => 'until the first page of 50 records (wall)'],
    ['embed.warm.open'            => 'open, file in memory (wall)'],
    ['embed.warm.first_query'     => 'until the first page (wall)'],
    ['embed.memory.open'          => 'memory of its own after open'],
    ['embed.memory.first_query'   => 'memory of its own after the first page'],
    ['embed.form.fsyncs'          => 'fsyncs a saved form'],
    ['embed.form.wakes'           => 'threads woken a saved form'],
    ['embed.form.disk'            => 'written to files a saved form'],
    ['embed.form.wire'            => 'to the hub a saved form, before TLS'],
    ['embed.idle.wakes'           => 'threads woken while nothing is asked'],
  ]],
  ['Growth', 'scale', []],
  ['What the machine gives at most, in the same run', 'limit', []],
);

sub slurp {
  my $path = shift;
  open my $in, '<', $path or die "$path: $!\n";
  local $/;
  return <$in>;
}

# Rows and head of a file with a row a line. Strings have no escapes, numbers no quotes.
sub rows_of {
  my ($text, %head, @rows) = (shift);
  for my $line (split /\n/, $text) {
    my %row;
    while ($line =~ /"(\w+)":(?:"([^"]*)"|(-?[\d.e+-]+))/g) { $row{$1} = defined $2 ? $2 : $3; }
    if (exists $row{id}) { push @rows, \%row; }
    else { $head{$_} //= $row{$_} for keys %row; }
  }
  return (\%head, \@rows);
}

sub number {
  my ($v, $s) = (shift);
  return '' unless defined $v;
  if (abs($v) >= 1000) { $s = sprintf '%.0f', $v; 1 while $s =~ s/^(-?\d+)(\d{3})/$1,$2/; return $s; }
  return sprintf abs($v) >= 100 ? '%.0f' : abs($v) >= 10 ? '%.1f' : '%.3g', $v;
}

sub ratio {
  my ($r, $is, $other) = @_;
  return '' unless $other && $is;
  my $x = $r->{more} ? $is / $other : $other / $is;
  return sprintf($x >= 10 ? '%.0f x' : '%.2f x', $x);
}

sub table {
  my ($title, $rows, $names, $runs) = @_;
  my $any_peer = grep { exists $_->{peer} } @$rows;
  my $any_target = grep { exists $_->{target} } @$rows;
  my $any_limit = grep { exists $_->{limit} } @$rows;
  my @head = ('figure', 'unit', 'qianmo', 'least to greatest');
  push @head, 'target', 'of it' if $any_target;
  push @head, 'limit' if $any_limit;
  push @head, 'best peer', 'of it' if $any_peer;
  my $out = "### $title\n\n| " . join(' | ', @head) . " |\n|" . '---|' x @head . "\n";
  for my $r (@$rows) {
    my $name = $names->{ $r->{id} } // $r->{id};
    $name .= " ($r->{runs} of the runs)" if $r->{runs} != $runs;
    my @cells = ($name, $r->{unit}, number($r->{median}),
                 number($r->{min}) . ' to ' . number($r->{max}));
    if ($any_target) {
      my $missed = defined $r->{target} &&
                   ($r->{more} ? $r->{median} < $r->{target} : $r->{median} > $r->{target});
      push @cells, number($r->{target}),
           ratio($r, $r->{median}, $r->{target}) . ($missed ? ' **missed**' : '');
    }
    push @cells, number($r->{limit}) if $any_limit;
    if ($any_peer) {
      my $x = defined $r->{peer} ? ratio($r, $r->{median}, $r->{peer}) : '';
      my $behind = defined $r->{peer} &&
                   ($r->{more} ? $r->{median} < $r->{peer} : $r->{median} > $r->{peer});
      push @cells, defined $r->{peer} ? number($r->{peer}) . " $r->{peer_name}" : '',
           $x . ($behind ? ' **behind**' : '');
    }
    $out .= '| ' . join(' | ', @cells) . " |\n";
  }
  return "$out\n";
}

my ($head, $rows) = rows_of(slurp($bench));
my ($peer_head, $peer_rows) = -e $peers ? rows_of(slurp($peers)) : ({}, []);
# The merges of concurrent typing are to be so many times as fast as Yjs.
my $TIMES_YJS = 20;
for my $r (grep { $_->{id} =~ /^text\.(friendsforever|clownschool)$/ } @$rows) {
  my ($yjs) = grep { $_->{id} eq $r->{id} && $_->{peer} eq 'Yjs' } @$peer_rows;
  $r->{target} = $yjs->{median} / $TIMES_YJS if $yjs;
}
my $with_peers = grep { exists $_->{peer} } @$rows;
my $same_run = $with_peers && ($peer_head->{commit} // '') eq ($head->{commit} // '');
my $out = "Measured on $head->{date} at commit $head->{commit} with `make "
        . ($same_run ? 'bench-peers' : 'bench') . "` on $head->{machine}; $head->{runs} runs "
        . "where no other number stands, "
        . "medians of CPU time. Figures of one run can be compared; figures of two machines cannot. "
        . "\"of it\": above 1 is better than the target or the peer. \"limit\": what the same run "
        . "measured as a bound, by the figure of that name below.\n\n";
if ($with_peers) {
  my %version = map { ($_->{peer} =~ s/ \+.*//r) => $_->{version} } @$peer_rows;
  my $when = $same_run ? 'in the same run'
                       : "in an earlier run of this machine ($peer_head->{date}, commit "
                         . ($peer_head->{commit} || 'not said') . ')';
  $out .= "Peers, $when (Node $peer_head->{node}; sqlite-sync natively; "
        . "$peer_rows->[0]{runs} of each): "
        . join(', ', map { "$_ $version{$_}" } sort keys %version)
        . ". A peer has one document for a grid, and what it gives is also packed with brotli.\n\n";
}
my %left = map { $_->{id} => $_ } @$rows;
for my $g (@groups) {
  my ($title, $prefix, $named) = @$g;
  my %names = map { $_->[0] => $_->[1] } @$named;
  my @shown = grep { defined } map { delete $left{ $_->[0] } } @$named;
  for my $r (@$rows) { push @shown, delete $left{ $r->{id} } if $left{ $r->{id} } && $r->{id} =~ /^$prefix\b/; }
  $out .= table($title, \@shown, \%names, $head->{runs}) if @shown;
}
my @other = grep { $left{ $_->{id} } } @$rows;
$out .= table('Other', \@other, {}, $head->{runs}) if @other;

my $text = slurp($readme);
$text =~ s/\Q$begin\E.*?\Q$end\E/$begin\n$out$end/s or die "$readme: no marker comments\n";
open my $to, '>', $readme or die "$readme: $!\n";
print $to $text;
close $to or die "$readme: $!\n";
