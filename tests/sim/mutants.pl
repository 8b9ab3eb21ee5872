#!/usr/bin/env perl
# Plants bugs, one at a time, in copies of single source files, and sees that the simulator
# finds each within 500 device-days. The product holds no trace of them.
#   BUILD=dir CC=cc CFLAGS=… perl tests/sim/mutants.pl [-w | -n] [name…]
# -n only sees that each has its place still. -w writes the list with the finding seeds to tests/sim/mutants.md. Exit 1 where a mutant
# was not found, or where its place in the source is gone.
use strict;
use warnings;

my $build = $ENV{BUILD} || 'build';
my $cc = $ENV{CC} || 'cc';
my $cflags = $ENV{CFLAGS} || '-O2 -g';
my ($days, $seeds) = (6, 10);    # 8 devices: 480 device-days
my $windows = 6;                 # so many of these are looked at, each for itself

# name, file, what is wrong, Perl substitution on the file's text, seed that finds it first
my @mutants = (
  ['fsync-skipped', 'adapters/sqlite/sqlite_sql.c', 'commits are not synced',
    sub { s/synchronous = FULL/synchronous = OFF/ }],
  ['failed-fsync-forgotten', 'adapters/sqlite/sqlite_open.c',
    'after a failed sync the WAL is not written again',
    sub { s/int rc = rewrite_wal\(db\);/int rc = QM_OK; (void)rewrite_wal;/ }],
  ['ack-before-commit', 'sync/answer.c', 'a batch is acknowledged before it is durable',
    sub { s/QM_TRY\(qm_engine_commit\(a->engine, QM_DURABLE, NULL, NULL\)\);/QM_TRY(qm_engine_commit(a->engine, QM_RELAXED, NULL, NULL));/ }],
  ['acknowledged-by-peer', 'sync/answer.c', 'what a peer holds counts as held by the hub',
    sub { s/return ev->hub && !\(a->flags & QM_ANSWER_HUB\);/return 1;/ }],
  ['counter-reused', 'core/engine.c', 'a restored replica goes on as the old author',
    sub { s/int unmoved = mine && has_kept && memcmp\(mine, kept, 16\) == 0;/int unmoved = mine \&\& has_kept;/ }],
  ['receivers-vv', 'core/space.c', "the receiver's VV decides instead of the author's",
    sub { s/(qm_vv \*clock = &s->states\[c->author\]\.clock;\n)(  qm_apply a = \{&s->authors, clock)/$1  QM_TRY(qm_vv_merge(s->engine->env, clock, &s->vv));\n$2/ }],
  ['tie-by-arrival', 'core/read.c', 'siblings stand by local author number',
    sub { s/if \(ta != tb\) return ta > tb;/if (a.author != b.author) return a.author > b.author;/ }],
  ['delete-beats-edit', 'core/crdt/presence.c', 'a delete beats an edit it had not seen',
    sub { s/(int qm_marks_visible\(const qm_marks \*m\) \{\n)/$1  for (uint32_t i = 0; i < m->n; i++)\n    if (m->p[i].deleted) return 0;\n/ }],
  ['kept-dropped', 'core/crdt/siblings.c', 'what a stale form had not shown is dropped',
    sub { s/if \(op->kind != QM_KIND_BESIDE\) x->kept = 1;/if (op->kind != QM_KIND_BESIDE) continue;/ }],
  ['kept-shown', 'core/crdt/siblings.c', 'what a stale form had not shown stays in the contest',
    sub { s/if \(op->kind != QM_KIND_BESIDE\) x->kept = 1;// }],
  ['raise-takes-all', 'core/write_siblings.c', 'a lower raise takes the greater value away',
    sub { s/if \(c > 0\) QM_TRY\(replace_contest/QM_TRY(replace_contest/ }],
  ['remove-unseen', 'core/crdt/keyed.c', 'a remove takes every dot of its elements',
    sub { s/if \(qm_dots_hold\(dots, e->dots\[j\]\.dot\) && qm_seen\(a, e->dots\[j\]\.dot\)\) continue;/if (qm_dots_hold(dots, e->dots[0].dot)) continue;/ }],
  ['token-not-durable', 'core/token.c', 'a form names what a power cut can still take',
    sub { s/QM_TRY\(store->ops->barrier\(store\)\);/(void)store;/ }],
  ['counter-last', 'core/crdt/totals.c', 'a counter keeps only the last delta of an author',
    sub { s/qm_wide_add\(t->p\[at\]\.sum, qm_wide_of\(delta\)\)/qm_wide_of(delta)/ }],
  ['log-by-clock', 'core/write.c', 'a step stands by its clock alone',
    sub { s/if \(w->change\.time <= last && last < UINT64_MAX\)/if (last == UINT64_MAX)/ }],
  ['space-check-missing', 'sync/answer.c', 'a peer is offered spaces it may not read',
    sub { s/if \(!sp \|\| !grants\[i\]\.readable\) continue;/if (!sp) continue;/ }],
  ['resume-off-by-one', 'core/engine_log.c', 'the cursor passes over a batch',
    sub { s/\*k->cursor = row->seq;/*k->cursor = row->seq + (row->seq % 5 == 0);/ }],
  ['chain-not-checked', 'core/ingest.c', 'a segment is taken whatever its hash',
    sub { s/if \(memcmp\(hash->b, g->head, QM_HEAD_SIZE\) != 0\)/if (0)/ }],
  ['previous-not-checked', 'core/ingest.c', 'a segment is taken whatever it says was before it',
    sub { s/return memcmp\(g->previous, st->head\.b, QM_HEAD_SIZE\) == 0 \? QM_OK : QM_EFORK;/return QM_OK;/ }],
  ['fork-not-noticed', 'core/engine_log.c', 'two heads at one counter of an author are no fork',
    sub { s/    rc = QM_EFORK;\n// }],
  ['author-not-checked', 'core/ingest.c', 'a relayed segment is taken without its signature',
    sub { s/if \(qm_id_cmp\(&device, &in->peer\) == 0 && .*?\) return QM_OK;/return QM_OK;/ }],
  ['unsigned-taken', 'core/ingest.c', 'what its author brings without a signature is taken',
    sub { s/== 0 && !in->verify\) return QM_OK;/== 0 \&\& !g->has_signature) return QM_OK;/ }],
  ['digest-before-fold', 'core/space.c', 'the digest is noted before the records are folded',
    sub { s/  if \(s->ingested \|\| s->behind & QM_BEHIND_TOOK\) QM_TRY\(qm__space_note\(s\)\);\n(  s->behind = 0;)/$1/ && s/(  QM_TRY\(save_records\(s, dirty, n_dirty\)\);\n)/  if (s->ingested || s->behind) QM_TRY(qm__space_note(s));\n$1/ }],
  ['push-forgotten', 'sync/answer.c', 'what was just written looks as if it had been sent',
    sub { s/  QM_TRY\(qm_engine_push\(a->engine, sp\)\);\n(  return qm_engine_sync_digest)/$1/ && s/  QM_TRY\(qm_engine_push\(a->engine, sp\)\);\n(  QM_TRY\(asides_of)/$1/ }],
  ['rollback-forgotten', 'core/engine.c', 'memory stays ahead of a commit that failed',
    sub { s/(rc = e->store->ops->commit\(e->store, durability, done, payload\);\n  if \(rc != QM_OK\) \{\n)    reload\(e\);\n/$1/ }],
  ['deps-dropped', 'core/write.c', 'a change says nothing of what its author had seen',
    sub { s/w->change\.n_deps = n;/w->change.n_deps = n = 0;/ }],
  ['clock-sign', 'core/engine.c', 'the offset of the clock is applied the wrong way round',
    sub { s/return now \+ \(uint64_t\)e->offset_ms;/return now - (uint64_t)e->offset_ms;/ }],
  ['key-reused', 'core/write.c', 'a deleted record is opened again by its natural key',
    sub { s/if \(qm_record_empty\(&l->record\)\) return QM_OK;\n    QM_TRY\(qm_class_of/if (!*existing) return QM_OK;\n    QM_TRY(qm_class_of/ }],
  ['edit-keeps-delete-away', 'core/write.c', 'a save drops a delete it had not shown',
    sub { s/int keepable = deletes \? !m->p\[i\]\.deleted : m->p\[i\]\.deleted;/int keepable = deletes \&\& !m->p[i].deleted;/ }],
  ['stale-text', 'core/write_sequence.c', 'a text edit is made at positions that have moved',
    sub { s/return shown == now \? QM_OK : QM_ESTALE;/(void)now;\n  return QM_OK;/ }],
  ['insert-at-root', 'core/crdt/sequence.c', 'what is typed hangs on the wrong side',
    sub { s/op->flags \|= QM_OP_LEFT;/op->flags |= 0;/ }],
  ['set-aside-has-effect', 'core/ingest.c', 'at the hub what is set aside takes effect',
    sub { s/int passes = flags\[i\] /int passes = (flags[i] \&\& !(s->engine->flags \& QM_ENGINE_HUB)) / }],
  ['set-aside-not-undone', 'core/aside.c', 'who had seen what is set aside goes on showing it',
    sub { s/int rc = qm__rebuild\(t->s, t->ids, t->n_ids\);/int rc = QM_OK;/ }],
  ['run-not-continued', 'core/ingest.c', 'a run that was closed twice is a fork',
    sub { s/return qm__fork_continues\(j->s, g, &j->previous, &j->held\);/return QM_EFORK;/ }],
  ['snapshot-in-parts', 'core/state_join.c', 'a state takes effect in parts, each committed for itself',
    sub { s/QM_TRY\(qm__space_save\(s\)\);/QM_TRY(qm__space_save(s));\n  QM_TRY(j->e->store->ops->commit(j->e->store, QM_DURABLE, NULL, NULL));\n  QM_TRY(j->e->store->ops->begin(j->e->store));/ && s/\(size_t\)1 << 20/(size_t)1 << 12/ }],
  ['state-without-clocks', 'core/state_join.c', 'a joined state brings no clock rows',
    sub { s/if \(newer\) QM_TRY\(qm_vv_set\(j->e->env, clock/if (0) QM_TRY(qm_vv_set(j->e->env, clock/ }],
  ['kept-lost-in-join', 'core/crdt/siblings.c', 'a join takes the flag kept from one side only',
    sub { s/both\.kept = both\.kept \| y->p\[j\+\+\]\.kept;/j++;/ }],
  ['poison-forgotten', 'adapters/sqlite/sqlite_db.c', 'a store goes on after a failed sync',
    sub { s/db->poisoned = 1;\n  return rc;/(void)db;\n  return rc;/ }],
  ['parked-dropped', 'core/ingest.c', 'a parked change is dropped, and counts as answered',
    sub { s/rc == QM_OK && j\.n_waits\) rc = park\(&j, batch\);/rc == QM_OK \&\& j.n_waits) (void)park;/ }],
  ['parked-taken', 'core/ingest.c', 'a change is taken before those it depends on',
    sub { s/        parked = 1;/        parked = 0;/ }],
  ['refused-held', 'core/ingest.c', 'a refused change counts as held',
    sub { s/return is_ours\(rc\) \? rc : refuse_fork\(j, g, rc\);/if (is_ours(rc)) return rc;\n  QM_TRY(qm_vv_set(j->e->env, &j->s->vv, g->author, g->next));\n  return refuse_fork(j, g, rc);/ }],
  ['stamps-not-written', 'core/home.c', 'what comes with a time far ahead is not stamped',
    sub { s/int owed = is_home\(s\) && /int owed = 0 \&\& is_home(s) \&\& / }],
  ['stamped-by-arrival', 'core/home.c', 'what comes with a time far ahead counts as written when it came',
    sub { s/time < now \? time : now\}/now}/ }],
  ['news-forgotten', 'sync/session_live.c', 'what is said while a space is in a round is forgotten',
    sub { s/if \(!sp \|\| is_stopped\(sp\)\) return 0;/if (!sp || is_stopped(sp) || !sp->done) return 0;/ }],
  ['taken-out-by-half', 'core/write_class.c', 'only the edges that a record holds itself are taken away',
    sub { s/    QM_TRY\(take_away\(w, below/    if (!below) QM_TRY(take_away(w, below/ }],
  ['class-by-holder', 'core/class.c', 'a class is found only from the lesser ends of its edges',
    sub { s/return add_holders\(f, &node\.id\);/(void)add_holders;\n  return QM_OK;/ }],
  ['hides-ignored', 'core/class_union.c', 'what a write to a class replaced is shown again',
    sub { s/v->p\[i\]\.hidden = 1;/(void)v;/ }],
  ['settle-equal', 'core/write_siblings.c', 'settling on the value that is shown writes nothing',
    sub { s/if \(equal && !\(flags & QM_WRITE_SETTLE\)\) return QM_OK;/if (equal) return QM_OK;/ }],
  ['settle-takes-later', 'core/write_siblings.c', 'settling takes a sibling away that arrived after the list was read',
    sub { s/  if \(flags & QM_WRITE_SETTLE\) QM_TRY\(settle_token/  if (flags & QM_WRITE_SETTLE) token.n = 0;\n$&/ }],
  ['settle-as-set', 'core/token.c', 'the review list covers only the value that is shown',
    sub { s/if \(kind == QM_READ_REVIEW \|\| v->p\[i\]\.hidden/if (v->p[i].hidden/ }],
  ['same-key-silent', 'core/class_key.c', 'two creations with different names are not listed',
    sub { s/\*out = contest\.n_others > 0;/*out = 0;/ }],
  ['same-key-records', 'core/class_key.c', 'two records that show one key are not listed',
    sub { s/\*out = found\.created_twice \|\| found\.n_others;/*out = found.created_twice;/ }],
  ['renamed-reused', 'core/write.c', 'new opens a record of which the key was corrected',
    sub { s/QM_TRY\(lists_key\(w, c, key, &cls, existing\)\);/*existing = qm_record_visible(&l->record);/ }],
  ['kept-not-stored', 'core/crdt/siblings.c', 'the flag kept is not stored',
    sub { s/\(x->kept \? FLAG_KEPT : 0u\)/0u/ }],
  ['mark-per-save', 'core/write.c', 'a save replaces no presence mark',
    sub { s/if \(!keepable \|\| qm_dots_hold\(shown, m->p\[i\]\.dot\)\) p\[n\+\+\]/if (!shown.p) p[n++]/ }],
  ['restore-keeps', 'core/write.c', 'a restore with an edit behind it keeps the delete',
    sub { s/  if \(t->restored\) return QM_OK;\n// }],
  ['unknown-dropped', 'core/space.c', 'a field that the schema here does not know is dropped',
    sub { s/    QM_TRY\(qm__space_apply_op\(s, l, &a, op, op->shape == QM_SEQUENCE\)\);/    const qm_collection_def *cd = s->schema ? qm_schema_collection(s->schema, qm_record_collection(&l->record)) : NULL;\n    if (cd && op->field >= 16 && !qm_collection_field(cd, op->field)) continue;\n$&/ }],
  ['schema-not-taken', 'core/engine_space.c', 'a newer schema is not taken',
    sub { s/if \(!next \|\| next->version <= held->schema->version\)/if (1)/ }],
);

my %found;
my $dry = @ARGV && $ARGV[0] eq '-n' && shift;
sub known {
  open my $in, '<', 'tests/sim/mutants.md' or return;
  while (<$in>) { $found{$1} = $2 if /^\| ([a-z-]+) \|.*\| (\d+) \|$/; }
}

sub plant {
  my ($name, $file, $edit) = @_[0, 1, 3];
  open my $in, '<', $file or die "$file: $!\n";
  local $_ = do { local $/; <$in> };
  $edit->() or return;
  return 1 if $dry;
  my $dir = "$build/mutants/$name";
  system('mkdir', '-p', $dir) == 0 or die "mkdir\n";
  open my $out, '>', "$dir/mutant.c" or die "$dir: $!\n";
  print $out $_;
  close $out;
  my ($packages, $libs) = @ENV{qw(PKG_CFLAGS PKG_LIBS)};
  my $wrap = join ',', map { "--wrap=$_" } qw(open close fsync stat unlink);
  my $posix = $file =~ m{^adapters/} ? '-D_POSIX_C_SOURCE=200809L' : '';
  my $rc = system("$cc $cflags -std=c11 $posix -I. $packages -w -c -o $dir/mutant.o $dir/mutant.c"
      . " && $cc $cflags -o $dir/sim $dir/mutant.o $build/obj/tests/sim/*.o $build/libqianmo.a"
      . " -Wl,$wrap $libs");
  return $rc == 0 ? "$dir/sim" : undef;
}

# The seed at which it is found, or 0. The simulator ends at the first seed that fails.
sub hunt {
  my ($sim, $from, $count) = @_;
  my $text = `SHRINK=0 SEED=$from SEEDS=$count DAYS=$days timeout 300 $sim 2>&1`;
  return 0 if $? == 0;
  return $1 if $text =~ /replay: make sim SEED=(\d+)/;
  my ($last) = $text =~ /# seed (\d+) [^\n]*\n(?!.*# seed )/s;
  return $last || $from;    # it crashed
}

my $write = @ARGV && $ARGV[0] eq '-w' && shift;
my %only = map { $_ => 1 } @ARGV;
my ($passed, $failed, @rows) = (0, 0);
known();
$| = 1;
for my $m (@mutants) {
  my ($name, $file, $what) = @$m;
  next if %only && !$only{$name};
  my $sim = plant(@$m);
  my $seed = $dry && $sim ? $found{$name} || 1 : 0;
  $seed = hunt($sim, $found{$name}, 1) if $sim && !$seed && $found{$name};
  for (my $w = 0; $sim && !$seed && $w < $windows; $w++) {
    $seed = hunt($sim, 1 + $w * $seeds, $seeds);
  }
  my $ok = $sim && $seed;
  printf "%s %d - %s: %s%s\n", $ok ? 'ok' : 'not ok', $passed + $failed + 1, $name, $what,
    !$sim ? ' (does not apply)' : $seed ? ", seed $seed" : ' (not found)';
  $ok ? $passed++ : $failed++;
  push @rows, "| $name | $file | $what | $seed |\n" if $ok;
}
if ($write) {
  open my $out, '>', 'tests/sim/mutants.md' or die "mutants.md: $!\n";
  print $out "# Planted bugs\n\nEach is planted by `make sim-mutants` in a copy of one file",
    " (tests/sim/mutants.pl) and must be found\nwithin 500 device-days: `SEED=… SEEDS=1 DAYS=$days`.\n\n",
    "| name | file | what is wrong | seed |\n|---|---|---|---|\n", @rows;
}
print $dry ? "1.." . ($passed + $failed) . "\n" : "$passed found, $failed not\n";
exit($failed != 0);
