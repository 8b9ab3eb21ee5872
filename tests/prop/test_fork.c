/* Forks (SPEC §21): a copy or a backup brought back that nobody noticed writes on as the same
 * author. What both wrote is there in the end, once, everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/space.h"
#include "support_world.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define shows(d, r, f, text) assert_string_equal(shown(d, r, f), text)

static world w;
#define A (&w.d[0]) /* the phone */
#define Z (&w.d[1]) /* its copy */
#define B (&w.d[2])
#define H (&w.d[3])

static void open4(uint64_t seed) {
  world_open(&w, 4, seed);
  H->flags = QM_ENGINE_HUB;
  reopen(H);
}

static void end_equal(void) {
  const qm_author *suspects;
  world_talk(&w);
  world_check_equal(&w);
  for (unsigned i = 0; i < w.n; i++) {
    assert_false(qm_space_dirty(w.d[i].space));
    assert_int_equal(qm_space_forks(w.d[i].space, &suspects), 0);
  }
}

static void close_equal(void) {
  end_equal();
  world_close(&w);
}

/* [17] (S21.1, S21.4) A restored phone that cannot tell writes a:1 again, then meets a peer
 * that holds the old a:1. */
static void a_restored_phone_meets_who_holds_the_old(void **state) {
  (void)state;
  open4(17);
  ok(put_new(A, "R"));
  ok(put_text(A, "R", UINT64_MAX, 0, "base"));
  talk(A, H);
  copy_unnoticed(Z, A); /* the backup */
  ok(put(A, "R", F_TEL, "old"));
  ok(put_inc(A, "R", 2));
  talk(A, B);
  ok(put(Z, "R", F_TEL, "new"));
  ok(put_inc(Z, "R", 3));
  talk(Z, B);
  talk(Z, H);
  shows(H, "R", F_TEL, "new");
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_VISITS, "5");
    assert_true(!strcmp(listed(&w.d[i], "R", F_TEL), "old/s") ||
                !strcmp(listed(&w.d[i], "R", F_TEL), "new/s"));
  }
  close_equal();
}

/* [35] (S21.4) The branch merges B into R, its class write hides a:1. Reissued as written it
 * would hide the home branch's a:1, which it never saw. */
static void dots_inside_the_ops_move(void **state) {
  (void)state;
  open4(35);
  ok(put_new(A, "Q"));
  ok(put_new(A, "R"));
  talk(A, H);
  copy_unnoticed(Z, A);
  ok(put(Z, "R", F_TEL, "home"));
  talk(Z, H);
  ok(put(A, "R", F_TEL, "branch"));
  ok(put_merge(A, "Q", "R"));
  ok(put(A, "Q", F_TEL, "class"));
  shows(A, "R", F_TEL, "class");
  assert_string_equal(listed(A, "R", F_TEL), "");
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    const char *all = listed(&w.d[i], "R", F_TEL);
    assert_true(!strcmp(shown(&w.d[i], "R", F_TEL), "home") || strstr(all, "home"));
    assert_true(!strcmp(shown(&w.d[i], "R", F_TEL), "class") || strstr(all, "class"));
    assert_null(strstr(all, "branch"));
  }
  close_equal();
}

/* (S18.8, S21.4) Both copies share an open run and go on in it: what they share is there once. */
static void what_both_share_is_no_part_of_the_branch(void **state) {
  (void)state;
  open4(3);
  ok(put_new(A, "R"));
  ok(put_text(A, "R", UINT64_MAX, 0, "shared"));
  ok(put_inc(A, "R", 1));
  copy_unnoticed(Z, A);
  ok(put_text(A, "R", 6, 0, "A"));
  ok(put_inc(A, "R", 10));
  ok(put_text(Z, "R", 6, 0, "Z"));
  ok(put_inc(Z, "R", 100));
  talk(Z, B);
  talk(A, H);
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_VISITS, "111");
    const char *text = shown(&w.d[i], "R", F_NOTES);
    assert_true(!strcmp(text, "sharedAZ") || !strcmp(text, "sharedZA"));
  }
  close_equal();
}

/* (S21.5) What others wrote upon the branch goes with it and comes back with it. */
static void what_was_written_upon_it_moves_too(void **state) {
  (void)state;
  open4(5);
  ok(put_new(A, "R"));
  ok(put_text(A, "R", UINT64_MAX, 0, "0"));
  world_talk(&w);
  copy_unnoticed(Z, A);
  ok(put_text(Z, "R", 1, 0, "branch"));
  ok(put_add(Z, "R", "t"));
  ok(put(Z, "R", F_TEL, "z"));
  ok(put_new(Z, "N"));
  ok(put(Z, "N", F_TEL, "of the branch"));
  talk(Z, B);
  ok(put_text(B, "R", 4, 0, "+"));
  ok(put_remove(B, "R", "t"));
  ok(put(B, "R", F_TEL, "b"));
  ok(put(B, "N", F_HEAD, "by B"));
  ok(put_new(B, "M"));
  ok(put_inc(B, "M", 7));
  ok(put(A, "R", F_TEL, "home"));
  ok(put(A, "R", F_HEAD, "home too"));
  ok(put_new(A, "O"));
  ok(put_text(A, "R", 1, 0, "stands"));
  talk(A, H);
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    const char *text = shown(&w.d[i], "R", F_NOTES), *all = listed(&w.d[i], "R", F_TEL);
    shows(&w.d[i], "M", F_VISITS, "7");
    shows(&w.d[i], "N", F_TEL, "of the branch");
    shows(&w.d[i], "N", F_HEAD, "by B");
    assert_true(visible(&w.d[i], "O"));
    shows(&w.d[i], "R", F_TAGS, "-");
    shows(&w.d[i], "R", F_HEAD, "home too");
    assert_true(strstr(text, "bra+nch") && strstr(text, "stands"));
    assert_true(strlen(text) == 14);
    assert_true(!strcmp(shown(&w.d[i], "R", F_TEL), "b") ? !strcmp(all, "home/s")
                                                         : !strcmp(all, "b/s"));
  }
  close_equal();
}

/* --- logs that were cut --- */

static void all_is_safe(device *d) {
  qm_arena arena;
  qm_vv_list vv;
  qm_vv all = {NULL, 0, 0};
  qm_arena_init(&arena, &d->env, 1u << 20);
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_heads(d->engine, d->space, &arena, &vv));
  ok(qm_engine_acknowledged(d->engine, d->space, vv, 0));
  ok(qm_engine_acknowledged(d->engine, d->space, vv, 1));
  for (uint32_t a = 0; a < qm_space_authors(d->space)->n; a++)
    ok(qm_vv_set(&d->env, &all, a, UINT64_MAX >> 1));
  ok(qm_engine_cut(d->engine, d->space, &all));
  qm_vv_free(&d->env, &all);
  qm_arena_free(&arena);
}

static uint64_t floor_of(device *d) {
  uint64_t most = 0;
  const qm_vv *v = qm_space_floor(d->space);
  for (uint32_t i = 0; i < v->n; i++)
    if (v->next[i] > most) most = v->next[i];
  return most;
}

/* (S18.8, S21.7) The run is closed once, then the log is cut, then it comes closed otherwise. */
static void a_run_closed_twice_across_a_cut(void **state) {
  (void)state;
  open4(7);
  ok(put_new(A, "R"));
  world_talk(&w);
  all_is_safe(H);
  all_is_safe(B);
  assert_true(floor_of(H) && floor_of(B));
  ok(put_text(A, "R", UINT64_MAX, 0, "ab"));
  copy_unnoticed(Z, A);
  talk(Z, H); /* closes what both hold */
  talk(Z, B);
  ok(put_text(A, "R", 2, 0, "cd"));
  ok(put_inc(A, "R", 3));
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_NOTES, "abcd");
    shows(&w.d[i], "R", F_VISITS, "3");
  }
  close_equal();
}

/* (S21.7) The hub's log is cut below the fork: it still knows what the chain goes on from. */
static void a_fork_beyond_a_cut_at_the_hub(void **state) {
  (void)state;
  open4(8);
  ok(put_new(A, "R"));
  ok(put_inc(A, "R", 1));
  world_talk(&w);
  all_is_safe(H);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 10));
  ok(put(A, "R", F_TEL, "a"));
  ok(put_inc(Z, "R", 100));
  ok(put(Z, "R", F_TEL, "z"));
  talk(A, H);
  talk(Z, B);
  all_is_safe(H); /* and of the standing branch the first part is gone: A holds it */
  ok(put_inc(A, "R", 1000));
  talk(A, H);
  (void)floor_of;
  talk(Z, H);
  talk(Z, H);
  /* What Z brought cannot be told from what stands: it stays where it is, whole. */
  shows(Z, "R", F_VISITS, "101");
  shows(H, "R", F_VISITS, "1011");
  world_close(&w);
}

/* (S21.7) B holds the copy's branch and has heard of the other. The hub has cut its log below
 * both and has a state only, which takes the place of what B holds; what B wrote itself stays. */
static void in_doubt_where_the_hub_has_but_a_state(void **state) {
  const qm_author *suspects;
  (void)state;
  open4(14);
  ok(put_new(A, "R"));
  ok(put_inc(A, "R", 1));
  world_talk(&w);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 10));
  ok(put_inc(Z, "R", 100));
  talk(Z, B);
  talk(A, B);
  assert_int_equal(qm_space_forks(B->space, &suspects), 1);
  ok(put_new(B, "S"));
  ok(put(B, "S", F_TEL, "own"));
  talk(A, H);
  ok(put_inc(A, "R", 1000));
  talk(A, H);
  all_is_safe(H);
  shows(B, "R", F_VISITS, "101");
  for (int i = 0; i < 2; i++) talk(B, H);
  shows(B, "R", F_VISITS, "1011");
  shows(H, "S", F_TEL, "own");
  assert_int_equal(qm_space_forks(B->space, &suspects), 0);
  uint8_t vb[16], vh[16];
  ok(qm_engine_vv_digest(B->engine, B->space, vb));
  ok(qm_engine_vv_digest(H->engine, H->space, vh));
  assert_memory_equal(vb, vh, 16);
  qm_digest db, dh;
  qm_space_digest(B->space, &db);
  qm_space_digest(H->space, &dh);
  assert_true(qm_digest_eq(&db, &dh));
  ok(put_inc(A, "R", 10000)); /* and its chain goes on */
  talk(A, H);
  talk(B, H);
  shows(B, "R", F_VISITS, "11011");
  world_close(&w);
}

static void a_fork_at_the_floor(void **state) {
  (void)state;
  open4(9);
  ok(put_new(A, "R"));
  ok(put_inc(A, "R", 1));
  world_talk(&w);
  all_is_safe(H);
  assert_true(floor_of(H));
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 10));
  ok(put(A, "R", F_TEL, "a"));
  ok(put_inc(Z, "R", 100));
  ok(put(Z, "R", F_TEL, "z"));
  talk(A, H);
  talk(Z, B);
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_VISITS, "111");
  close_equal();
}

/* (S18.6, S21.7) The phone's log is cut: what it holds of the branch goes from its log, its
 * records wait for a state, and what it wrote is everywhere else. */
static void a_phone_whose_log_is_cut(void **state) {
  (void)state;
  open4(10);
  ok(put_new(A, "R"));
  ok(put_inc(A, "R", 1));
  world_talk(&w);
  copy_unnoticed(Z, A);
  all_is_safe(Z);
  assert_true(floor_of(Z));
  ok(put_inc(A, "R", 10));
  ok(put_inc(Z, "R", 100));
  talk(A, H);
  for (int i = 0; i < 4; i++) talk(Z, H);
  for (int i = 0; i < 3; i++) talk(B, H);
  shows(H, "R", F_VISITS, "111");
  shows(B, "R", F_VISITS, "111");
  assert_true(qm_space_dirty(Z->space));
  assert_true(qm_vv_includes(qm_space_vv(Z->space), qm_space_vv(Z->space)));
  uint8_t vz[16], vh[16];
  ok(qm_engine_vv_digest(Z->engine, Z->space, vz));
  ok(qm_engine_vv_digest(H->engine, H->space, vh));
  assert_memory_equal(vz, vh, 16);
  world_close(&w);
}

/* --- what may go wrong on the way --- */

/* (S21.6) Nothing is taken back before all of it is named: a branch that the hub was shown in
 * part stays whole where the rest of it is. */
static void what_the_hub_has_not_seen_stays(void **state) {
  (void)state;
  open4(11);
  ok(put_new(A, "R"));
  world_talk(&w);
  copy_unnoticed(Z, A);
  ok(put_step(Z, "R", "one"));
  talk(Z, B);
  ok(put_step(Z, "R", "two")); /* B knows the first part only */
  ok(put_step(A, "R", "home"));
  talk(A, H);
  talk(B, H);
  talk(B, H);
  assert_int_equal(qm_space_asides(H->space).n, 1);
  assert_int_equal(asides(Z, H) > 0, 1); /* Z hears of it and nothing else */
  shows(Z, "R", F_STEPS, "one|two");
  world_talk(&w);
  const char *all = shown(H, "R", F_STEPS);
  assert_true(strstr(all, "one") && strstr(all, "two") && strstr(all, "home"));
  assert_int_equal(strlen(all), strlen("one|two|home"));
  close_equal();
}

static int full_disk(qm_store *s, uint32_t space, const qm_log_row *row) {
  (void)s;
  (void)space;
  (void)row;
  return QM_EFULL;
}

/* (S21.6) A crash between the entries and taking back: the next session goes on. */
static void a_crash_in_between(void **state) {
  (void)state;
  const qm_author *suspects;
  open4(12);
  ok(put_new(A, "R"));
  world_talk(&w);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 1));
  ok(put_inc(Z, "R", 2));
  talk(A, H);
  talk(Z, B);
  talk(B, H); /* so the hub has it from somebody else */
  const qm_store_ops *ops = Z->store->ops;
  qm_store_ops broken = *ops;
  broken.log_rewrite = full_disk;
  Z->store->ops = &broken;
  qm_arena arena;
  qm_buf b;
  qm_vv_list heads;
  qm_author forked;
  qm_aside_counts after = {NULL, 0};
  qm_arena_init(&arena, &Z->env, 1u << 20);
  qm_buf_init(&b, &Z->env, 1u << 20);
  ok(qm_engine_aside_read(H->engine, H->space, after, &arena, &b, &after));
  ok(qm_engine_aside_take(Z->engine, Z->space, qm_buf_slice(&b), NULL, NULL, NULL, NULL));
  ok(qm_engine_heads(H->engine, H->space, &arena, &heads));
  assert_int_equal(qm_engine_meet(Z->engine, Z->space, &H->id, 0, 1, heads, &forked), QM_EFULL);
  qm_engine_unpark(Z->engine, &H->id, 0);
  qm_buf_free(&b);
  qm_arena_free(&arena);
  Z->store->ops = ops;
  assert_int_equal(qm_space_asides(Z->space).n, 1);
  assert_int_equal(qm_space_forks(Z->space, &suspects), 1);
  reopen(Z);
  assert_int_equal(qm_space_forks(Z->space, &suspects), 1);
  shows(Z, "R", F_VISITS, "2");
  reopen(H);
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_VISITS, "3");
  close_equal();
}

/* (S21.1) Phones alone settle nothing: both keep what they have, and all else goes on. */
static void phones_alone_wait_for_the_hub(void **state) {
  (void)state;
  const qm_author *suspects;
  open4(13);
  ok(put_new(A, "R"));
  world_talk(&w);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 1));
  ok(put_inc(Z, "R", 2));
  ok(put_new(B, "Q"));
  talk(A, B);
  talk(B, Z);
  talk(A, Z);
  shows(A, "R", F_VISITS, "1");
  shows(Z, "R", F_VISITS, "2");
  assert_true(visible(Z, "Q"));
  assert_int_equal(qm_space_forks(A->space, &suspects), 1);
  assert_int_equal(qm_space_forks(Z->space, &suspects), 1);
  ok(put_inc(Z, "R", 4)); /* as another author by now */
  ok(put_inc(A, "R", 8));
  assert_true(qm_author_cmp(qm_engine_author(A->engine), qm_engine_author(Z->engine)) != 0);
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) shows(&w.d[i], "R", F_VISITS, "15");
  close_equal();
}

typedef struct seen {
  unsigned n, approved;
  int32_t code;
  qm_author author;
  uint64_t first;
} seen;

static int see(void *payload, const qm_aside_copy *copy) {
  seen *s = payload;
  s->n++;
  s->approved += copy->status == QM_ASIDE_APPROVED;
  s->code = copy->code;
  s->author = copy->author;
  s->first = copy->first;
  return QM_OK;
}

/* (S21.8) Its device and the office read it; nothing is left to decide. */
static void there_is_a_copy_to_read(void **state) {
  (void)state;
  open4(14);
  ok(put_new(A, "R"));
  world_talk(&w);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 1));
  ok(put_inc(Z, "R", 2));
  talk(A, H);
  talk(Z, B);
  world_talk(&w);
  device *holders[] = {Z, H};
  for (int i = 0; i < 2; i++) {
    seen s = {0};
    ok(qm_engine_aside_copies(holders[i]->engine, holders[i]->space, see, &s));
    assert_int_equal(s.n, 1);
    assert_int_equal(s.approved, 1);
    assert_int_equal(s.code, QM_EFORK);
    if (i) assert_int_equal(qm_engine_aside_approve(H->engine, H->space, &s.author, s.first, NULL),
                            QM_ENOTFOUND);
  }
  seen none = {0};
  ok(qm_engine_aside_copies(B->engine, B->space, see, &none));
  assert_int_equal(none.n, 0);
  close_equal();
}

/* (S18.1, S21.4) What the hub would not accept of it is set aside as it is reissued. */
static void what_the_schema_forbids_is_set_aside_all_the_same(void **state) {
  (void)state;
  open4(15);
  ok(put_new(A, "R"));
  world_talk(&w);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 1));
  ok(put_inc(Z, "R", 2));
  ok(put_bad(Z, "R", F_TEL, 7));
  ok(put_inc(Z, "R", 4));
  talk(A, H);
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_VISITS, "7");
    shows(&w.d[i], "R", F_TEL, "-");
  }
  close_equal();
}

/* (S21.3) An entry of a fork that says no place is refused. */
static void an_entry_says_where_it_stands_now(void **state) {
  static const char *const texts[] = {"", "why", "000000000000000000000000000000000000000000000000",
                                      "000000000000000000000000000000000000000000000000:",
                                      "00000000000000000000000000000000000000000000000g:1",
                                      "000000000000000000000000000000000000000000000000:x",
                                      "000000000000000000000000000000000000000000000000:1"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    qm_env env = qm_env_default();
    qm_buf b;
    qm_cur c;
    qm_slice text = qm_slice_of(texts[i], strlen(texts[i]));
    qm_aside out, a = {.next = 1, .code = QM_EFORK, .text = text};
    qm_buf_init(&b, &env, 4096);
    qm_aside_put(&a, &b);
    qm_cur_init(&c, qm_buf_slice(&b));
    assert_int_equal(qm_aside_get(&out, &c), i == 6 ? QM_OK : QM_EMALFORMED);
    qm_buf_free(&b);
  }
}

/* (S18.8, S21.6) A copy closes the run that it shares with another and writes upon that; then it is
 * shown the run's longer form. In its log what rests on the branch stands before what the entry
 * names. Left behind, it would pass for written upon what stands, and hide that unseen. */
static void what_was_written_upon_a_shorter_form_goes_too(void **state) {
  (void)state;
  open4(20);
  ok(put_new(A, "R"));
  world_talk(&w);
  copy_unnoticed(B, A);
  ok(put_inc(A, "R", 1));
  copy_unnoticed(Z, A);
  ok(qm_engine_push(Z->engine, Z->space));
  ok(qm_engine_new_epoch(Z->engine));
  ok(put(Z, "R", F_TEL, "upon the branch"));
  ok(put_inc(A, "R", 2));
  ok(put(B, "R", F_TEL, "home"));
  ok(put_inc(B, "R", 4));
  ok(qm_engine_push(A->engine, A->space));
  assert_int_equal(pull(Z, A), 1);
  talk(B, H);
  talk(A, H);
  talk(A, H);
  talk(Z, H);
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    const char *all = listed(&w.d[i], "R", F_TEL);
    shows(&w.d[i], "R", F_VISITS, "7");
    assert_true(!strcmp(shown(&w.d[i], "R", F_TEL), "home") || strstr(all, "home"));
  }
  close_equal();
}

/* --- a hub that was put back --- */

#define BACKUP (&w.d[4])

/* It knows, and writes as another author. */
static void put_hub_back(void) {
  H->instance[0]++;
  copy_store(H, BACKUP);
}

static void open5(uint64_t seed) {
  world_open(&w, 5, seed);
  H->flags = BACKUP->flags = QM_ENGINE_HUB;
  reopen(H);
  w.n = 4;
  ok(put_new(A, "R"));
  world_talk(&w);
  copy_unnoticed(BACKUP, H);
}

static void close5(void) {
  w.n = 5;
  world_close(&w);
}

/* (S21.10) A branch that a hub moved before it was put back stands at the hub by now, and somebody
 * has written upon it: told of what it had decided, it takes both back and moves the second. */
static void a_hub_that_holds_what_it_once_moved(void **state) {
  (void)state;
  open5(18);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 1));
  ok(put(A, "R", F_TEL, "branch"));
  talk(A, B);
  ok(put_inc(Z, "R", 10));
  ok(put(Z, "R", F_TEL, "home"));
  talk(Z, H);
  talk(A, H);
  talk(A, H); /* the branch is reissued, and taken back on the phone */
  shows(A, "R", F_VISITS, "11");
  put_hub_back();
  talk(B, H); /* it stands now */
  ok(put(H, "R", F_TEL, "upon it"));
  ok(put_inc(H, "R", 100));
  talk(B, H);
  shows(B, "R", F_VISITS, "101");
  world_talk(&w);
  for (unsigned i = 0; i < w.n; i++) {
    shows(&w.d[i], "R", F_VISITS, "111");
    const char *all = listed(&w.d[i], "R", F_TEL);
    assert_true(!strcmp(shown(&w.d[i], "R", F_TEL), "home") || !strcmp(all, "home/s"));
    assert_true(!strcmp(shown(&w.d[i], "R", F_TEL), "upon it") || !strcmp(all, "upon it/s"));
  }
  end_equal();
  close5();
}

/* (S21.6) The session that told of the decision ended before what was reissued came, and the hub
 * was put back: nobody has that any more. The phone keeps its branch. */
static void an_entry_outlives_what_it_speaks_of(void **state) {
  (void)state;
  const qm_author *suspects;
  open5(19);
  copy_unnoticed(Z, A);
  ok(put_inc(A, "R", 1));
  ok(put_inc(A, "R", 2)); /* so the hub asks for it though it has the other branch */
  ok(put_inc(Z, "R", 10));
  talk(Z, H);
  ok(qm_engine_push(A->engine, A->space));
  assert_int_equal(pull(H, A), 1);
  assert_int_equal(asides(A, H), 1);
  put_hub_back();
  world_talk(&w);
  shows(A, "R", F_VISITS, "3");
  assert_int_equal(qm_space_forks(A->space, &suspects), 1);
  shows(H, "R", F_VISITS, "10");
  close5();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_restored_phone_meets_who_holds_the_old),
      cmocka_unit_test(dots_inside_the_ops_move),
      cmocka_unit_test(what_both_share_is_no_part_of_the_branch),
      cmocka_unit_test(what_was_written_upon_it_moves_too),
      cmocka_unit_test(a_run_closed_twice_across_a_cut),
      cmocka_unit_test(a_fork_beyond_a_cut_at_the_hub),
      cmocka_unit_test(in_doubt_where_the_hub_has_but_a_state),
      cmocka_unit_test(a_fork_at_the_floor),
      cmocka_unit_test(a_phone_whose_log_is_cut),
      cmocka_unit_test(what_the_hub_has_not_seen_stays),
      cmocka_unit_test(a_crash_in_between),
      cmocka_unit_test(phones_alone_wait_for_the_hub),
      cmocka_unit_test(there_is_a_copy_to_read),
      cmocka_unit_test(what_the_schema_forbids_is_set_aside_all_the_same),
      cmocka_unit_test(an_entry_says_where_it_stands_now),
      cmocka_unit_test(what_was_written_upon_a_shorter_form_goes_too),
      cmocka_unit_test(a_hub_that_holds_what_it_once_moved),
      cmocka_unit_test(an_entry_outlives_what_it_speaks_of),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
