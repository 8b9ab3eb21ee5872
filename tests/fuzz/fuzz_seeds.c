/* Writes the first inputs of each target below a directory: fuzz_seeds DIR. The corpora in
 * fixtures/fuzz began with them. Run it from the top of the tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/json/json_value.h"
#include "adapters/json/schema_json.h"
#include "core/aside.h"
#include "core/mp.h"
#include "core/state_feed.h"
#include "core/words.h"
#include "core/zip.h"
#include "sync/enrol.h"
#include "sync/uv/config.h"
#include "tests/fuzz/support_fuzz_build.h"
#include "tests/unit/support_batch.h"
#include "tests/unit/support_frames.h"

#define STEP_CHOICES 64u /* zeroes: no step of a search is changed */

static const char *top;
static unsigned count;

static void save(const char *target, qm_slice in) {
  char name[600];
  snprintf(name, sizeof name, "%s/%s", top, target);
  (void)mkdir(name, 0777);
  snprintf(name, sizeof name, "%s/%s/seed-%05u", top, target, ++count);
  FILE *f = fopen(name, "wb");
  FUZZ_CHECK(f && fwrite(in.p, 1, in.n, f) == in.n && fclose(f) == 0);
}

static qm_buf anew(void) {
  qm_buf b;
  qm_buf_init(&b, fuzz_env(), (size_t)8 << 20);
  return b;
}

static void done(const char *target, qm_buf *b) {
  FUZZ_OK(qm_buf_status(b));
  save(target, qm_buf_slice(b));
  qm_buf_free(b);
}

static void text(const char *target, const char *s) { save(target, qm_slice_of(s, strlen(s))); }

static qm_buf file(const char *name) {
  qm_buf b = anew();
  FILE *f = fopen(name, "rb");
  int c;
  FUZZ_CHECK(f != NULL);
  while ((c = getc(f)) != EOF) qm_buf_byte(&b, (uint8_t)c);
  fclose(f);
  return b;
}

static void put_piece(qm_buf *b, qm_slice s) {
  qm_buf_be16(b, (uint16_t)s.n);
  qm_buf_add(b, s.p, s.n);
}

/* A state of one part as its counts and items. */
static void put_items(qm_buf *out, const fuzz_parts *parts, const qm_id *space) {
  qm_manifest m;
  qm_block block;
  qm_slice none = {NULL, 0};
  qm_cur c;
  FUZZ_OK(qm__manifest_read(&m, space, parts->parts[0]));
  FUZZ_CHECK(parts->n <= 2);
  qm_buf_byte(out, (uint8_t)m.authors);
  qm_buf_byte(out, (uint8_t)m.records);
  qm_buf_byte(out, (uint8_t)m.names);
  qm_buf_byte(out, (uint8_t)m.batches);
  qm__block_init(&block, fuzz_env());
  for (qm_cur_init(&c, parts->n > 1 ? parts->parts[1] : none); qm_cur_left(&c);) {
    uint8_t kind;
    uint32_t n;
    qm_slice bytes, item;
    FUZZ_OK(qm_cur_byte(&c, &kind));
    FUZZ_OK(qm_cur_be32(&c, &n));
    FUZZ_OK(qm_cur_span(&c, n, &bytes));
    if (kind == QM__BLOCK_COLUMNS) save("columns", bytes);
    FUZZ_OK(qm__block_open(&block, kind, bytes));
    while (qm__block_next(&block, &item) == QM_OK) put_piece(out, item);
  }
  qm__block_free(&block);
}

static void frames(void) {
  qm_buf all = anew();
  qm_buf_byte(&all, 0);
  qm_buf_byte(&all, 5);
  for (size_t i = 0; i < frame_examples_n; i++) {
    qm_buf one = anew();
    FUZZ_OK(frame_examples[i].put(&one));
    qm_buf_add(&all, one.p, one.n);
    save("msg", qm_slice_of(one.p + 4, one.n - 4));
    qm_buf_free(&one);
  }
  done("frame", &all);
  save("frame", qm_slice_of("\1\0\0\0\0\1x\0\0\0\2", 11));
}

/* The back of a batch stored, so that a byte changed is a column changed. */
static void stored(qm_slice blob) {
  qm_buf out = anew(), back = anew();
  qm_cur c;
  uint64_t front = 0;
  unsigned old = blob.p[0] == 1, words = blob.p[1] & 2 ? blob.p[2] : 0;
  size_t flags = words ? 3 : 2;
  qm_cur_init(&c, qm_slice_of(blob.p + flags, blob.n - flags));
  FUZZ_OK(qm_cur_varint(&c, &front));
  const uint8_t *p = c.at + front;
  qm_slice rest = qm_slice_of(p, (size_t)(c.end - p));
  if (!(blob.p[1] & 1)) qm_buf_add(&back, rest.p, rest.n);
  else if (old) FUZZ_OK(qm_unzip(&back, rest, QM_BATCH_RAW_MAX));
  else FUZZ_OK(qm_unzip_words(&back, rest, QM_BATCH_RAW_MAX, qm__words(words)));
  qm_buf_byte(&out, blob.p[0]);
  qm_buf_byte(&out, 0);
  qm_buf_add(&out, blob.p + flags, (size_t)(p - blob.p) - flags);
  qm_buf_add(&out, back.p, back.n);
  qm_buf_free(&back);
  done("batch", &out);
}

static void batches(void) {
  qm_authors authors;
  fuzz_authors(&authors);
  for (uint64_t seed = 1; seed <= 24; seed++) {
    world w;
    qm_buf out = anew();
    world_init(&w, fuzz_env(), seed);
    qm_batch b = world_batch(&w, 3, 3);
    FUZZ_OK(qm_batch_encode_as(&out, &b, &w.authors, 3, QM_BATCH_OLD + seed % 3));
    stored(qm_buf_slice(&out));
    if (seed < 7) save("batch", qm_buf_slice(&out));
    qm_buf_free(&out);
    qm_change *c = &b.segments[0].changes[0];
    qm_buf row = anew();
    qm_change_row(c, &authors, &row);
    done("change", &row);
    for (uint32_t i = 0; i < c->n_ops; i++) {
      qm_buf v = anew();
      if (!c->ops[i].value.n) continue;
      put_piece(&v, c->ops[i].value);
      put_piece(&v, c->ops[0].value.n ? c->ops[0].value : c->ops[i].value);
      qm_buf_add(&v, c->ops[i].value.p, c->ops[i].value.n);
      done("value", &v);
    }
    world_free(&w);
  }
  qm_authors_free(&authors);
}

/* With the names of the fixed table, in its order. */
static int save_record(void *payload, const qm_record_row *row) {
  const qm_authors *t = payload;
  qm_cur c;
  uint32_t n = 0, skip;
  qm_buf out = anew();
  qm_cur_init(&c, row->state);
  FUZZ_OK(qm_cur_array_n(&c, 4));
  FUZZ_OK(qm_cur_array(&c, &n));
  for (uint32_t i = 0; i < n; i++) FUZZ_OK(qm_cur_uint32(&c, &skip));
  qm_buf_byte(&out, 1);
  for (uint32_t i = 0; i < 2 * FUZZ_AUTHORS; i++) qm_buf_byte(&out, (uint8_t)(5 * i));
  if (n > FUZZ_AUTHORS) {
    qm_buf_free(&out);
    return QM_OK;
  }
  qm_mp_array(&out, 4);
  qm_mp_array(&out, n);
  for (uint32_t i = 0; i < n; i++) qm_mp_uint(&out, t->sorted[i]);
  qm_buf_add(&out, c.at, qm_cur_left(&c));
  done("record", &out);
  return QM_OK;
}

static void states(void) {
  qm_authors authors;
  fuzz_authors(&authors);
  for (uint64_t seed = 0; seed < 12; seed++) {
    fuzz_replica r;
    fuzz_builder b;
    fuzz_parts parts;
    qm_arena arena;
    qm_buf out = anew();
    uint8_t choice[3000];
    qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
    fuzz_replica_open(&r, 3, 0);
    if (seed % 3 == 0) fuzz_fill(&r, r.space);
    fuzz_builder_init(&b, 's', 0, NULL);
    for (int i = 0; i < 6; i++) {
      qm_buf batch = anew();
      (void)fuzz_env()->random(NULL, choice, sizeof choice);
      qm_slice in = qm_slice_of(choice, sizeof choice);
      if (!fuzz_build(&b, &in, &batch)) qm_buf_clear(&batch);
      qm_ingest how = {.peer = {{3}}};
      FUZZ_OK(qm_engine_begin(r.engine));
      (void)qm_engine_ingest(r.engine, r.space, qm_buf_slice(&batch), &how, &arena, NULL);
      FUZZ_OK(qm_engine_commit(r.engine, QM_RELAXED, NULL, NULL));
      if (batch.n) stored(qm_buf_slice(&batch));
      qm_buf_free(&batch);
    }
    fuzz_state(&r, r.space, &parts);
    qm_buf_byte(&out, (uint8_t)(seed & 3));
    put_items(&out, &parts, &r.space->id);
    if (out.n < 20000) save("snapshot", qm_buf_slice(&out));
    if (seed % 4 == 0) {
      qm_buf_clear(&out);
      qm_buf_byte(&out, (uint8_t)(seed | 4));
      for (uint32_t i = 0; i < parts.n; i++) put_piece(&out, parts.parts[i]);
      if (out.n < 20000) save("snapshot", qm_buf_slice(&out));
    }
    qm_buf_free(&out);
    FUZZ_OK(r.store->ops->record_scan(r.store, r.space->number, 0, NULL, 64, save_record,
                                      &authors));
    qm_arena_free(&parts.arena);
    fuzz_builder_free(&b);
    fuzz_replica_close(&r);
    qm_arena_free(&arena);
  }
  qm_authors_free(&authors);
}

static void tokens(void) {
  for (unsigned kind = 0; kind < 2; kind++) {
    fuzz_replica r;
    qm_arena arena;
    const qm_record *rec;
    qm_id id = fuzz_record_id(0);
    fuzz_replica_open(&r, 3, 0);
    fuzz_fill(&r, r.space);
    qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
    FUZZ_OK(qm_engine_read(r.engine, r.space, &id, &arena, &rec));
    for (uint8_t verb = 0; verb < 7; verb++) {
      qm_buf out = anew();
      qm_buf_byte(&out, verb);
      FUZZ_OK(qm_token_make(r.space, rec, kind, &arena, &out));
      done("token", &out);
    }
    qm_arena_free(&arena);
    fuzz_replica_close(&r);
  }
}

static void schemas(void) {
  static const char *const names[] = {
      "village", "tiny", "plain", "bad/duplicate-key", "bad/key-form", "bad/falling-number",
      "bad/item-twice", "bad/unknown-target", "bad/fraction", "bad/not-json", "bad/bad-retention"};
  qm_buf own = anew();
  fuzz_schema_put(&own);
  done("schema", &own);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[128];
    qm_buf packed = anew();
    snprintf(path, sizeof path, "fixtures/schemas/%s.json", names[i]);
    qm_buf json = file(path);
    if (qm_schema_json_compile(&packed, qm_buf_slice(&json), NULL) == QM_OK)
      save("schema", qm_buf_slice(&packed));
    qm_buf_free(&packed);
    done("schema_json", &json);
  }
}

/* A piece with its length before it, and the rest. */
static void pieces(const char *target, const char *first, const char *rest) {
  qm_buf b = anew();
  qm_buf_be16(&b, (uint16_t)strlen(first));
  qm_buf_add(&b, first, strlen(first));
  qm_buf_add(&b, rest, strlen(rest));
  done(target, &b);
}

/* Every check, a table with a moved code, a calendar and a limit. */
static const char rich_schema[] =
    "{\"schema\":\"x\",\"version\":1,\"tables\":[{\"name\":\"a\",\"label\":{\"zh\":\"z\"},"
    "\"codes\":"
    "[[\"510181\",\"z\",\"e\",\"510182\"],[\"510182\"]]}],\"calendars\":[{\"name\":\"c\",\"utc\":"
    "\"-03:30\",\"week\":[1,6],\"hours\":[[\"08:30\",\"12:00\"],[\"14:00\",\"24:00\"]],\"years\":"
    "[2025,2026],\"off\":[\"2025-01-01\",[\"2026-02-15\",\"2026-02-23\"]],\"work\":"
    "[\"2026-02-14\"]}],\"collections\":[{\"name\":\"t\",\"number\":1,\"purpose\":\"p\","
    "\"retention\":\"P1Y\",\"fields\":["
    "{\"name\":\"id\",\"number\":16,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\","
    "\"check\":{\"name\":\"citizen-id\",\"old\":false}},"
    "{\"name\":\"area\",\"number\":17,\"type\":\"set\",\"value\":\"text\",\"class\":\"work\","
    "\"check\":{\"name\":\"area-code\",\"levels\":[6,12],\"suffix\":3,\"table\":\"a\"}},"
    "{\"name\":\"at\",\"number\":18,\"type\":\"register\",\"value\":\"int\",\"class\":\"work\","
    "\"check\":{\"name\":\"money\",\"zero\":false,\"least\":-5}},"
    "{\"name\":\"st\",\"number\":19,\"type\":\"state\",\"class\":\"work\","
    "\"items\":[{\"name\":\"a\","
    "\"rank\":1},{\"name\":\"b\",\"rank\":2}],\"transitions\":[[\"a\",\"b\"]]},"
    "{\"name\":\"log\",\"number\":20,\"type\":\"log\",\"value\":\"map\",\"class\":\"work\","
    "\"check\":\"entry\"}],\"limits\":[{\"name\":\"l\",\"label\":{\"en\":\"e\"},\"start\":\"at\","
    "\"state\":\"st\",\"by\":[\"at\"],\"calendar\":\"c\",\"extend\":\"at\","
    "\"pauses\":[\"a\"],\"rows\":"
    "[{\"when\":{\"at\":7},\"working_days\":3},{\"hours\":24}]}]}]}";

/* One relation of each kind. */
static const char relations_schema[] =
    "{\"schema\":\"x\",\"version\":1,\"collections\":[{\"name\":\"b\",\"number\":1,\"purpose"
    "\":\"p\",\"retention\":\"P1Y\",\"fields\":[{\"name\":\"k\",\"number\":16,\"type\":\"regi"
    "ster\",\"class\":\"work\",\"value\":\"enum\",\"items\":[\"c\",\"d\"]},{\"name\":\"p\",\""
    "number\":17,\"type\":\"set\",\"class\":\"work\",\"value\":\"text\"},{\"name\":\"g\",\"nu"
    "mber\":18,\"type\":\"register\",\"class\":\"work\",\"value\":\"date\"},{\"name\":\"e\","
    "\"number\":19,\"type\":\"state\",\"class\":\"work\",\"items\":[{\"name\":\"a\",\"rank\":"
    "1},{\"name\":\"b\",\"rank\":2}]},{\"name\":\"h\",\"number\":20,\"type\":\"register\",\"c"
    "lass\":\"work\",\"value\":\"text\"}],\"basis\":{\"kind\":\"k\",\"purpose\":\"p\",\"given"
    "\":\"g\",\"ends\":\"e\",\"ended\":[\"b\"],\"kinds\":[{\"is\":\"c\",\"filled\":[\"h\"],\""
    "guardian\":\"h\"},{\"is\":\"d\"}]}},{\"name\":\"t\",\"number\":2,\"purpose\":\"p\",\"ret"
    "ention\":\"P1Y\",\"fields\":[{\"name\":\"r\",\"number\":16,\"type\":\"ref\",\"class\":\""
    "work\",\"target\":\"b\"},{\"name\":\"s\",\"number\":17,\"type\":\"register\",\"class\":"
    "\"sensitive\",\"value\":\"text\"},{\"name\":\"y\",\"number\":18,\"type\":\"register\",\""
    "class\":\"work\",\"value\":\"int\"},{\"name\":\"st\",\"number\":19,\"type\":\"state\",\""
    "class\":\"work\",\"items\":[{\"name\":\"a\",\"rank\":1},{\"name\":\"b\",\"rank\":2}]},{"
    "\"name\":\"f\",\"number\":20,\"type\":\"ref\",\"class\":\"work\",\"value\":\"space-ref\""
    "},{\"name\":\"to\",\"number\":21,\"type\":\"set\",\"class\":\"work\",\"value\":\"space-r"
    "ef\"},{\"name\":\"l\",\"number\":22,\"type\":\"log\",\"class\":\"work\",\"value\":\"map"
    "\",\"check\":\"entry\"},{\"name\":\"o\",\"number\":23,\"type\":\"ref\",\"class\":\"work"
    "\",\"target\":\"t\"}],\"based\":[{\"fields\":[\"s\"],\"record\":\"r\",\"purpose\":\"x\","
    "\"birth\":\"y\",\"of\":\"o\"}],\"when\":[{\"field\":\"st\",\"is\":[\"a\",\"b\"],\"empty"
    "\":[\"s\"],\"filled\":[\"y\"]}],\"referral\":{\"from\":\"f\",\"to\":\"to\",\"answer\":\""
    "l\"},\"covers\":[{\"name\":\"c\",\"amount\":\"y\",\"account\":\"o\",\"balance\":\"l\",\""
    "by\":[\"q\"],\"state\":\"st\",\"holds\":[\"a\"],\"settled\":[\"b\"]}],\"clashes\":[{\"na"
    "me\":\"c\",\"label\":{\"zh\":\"z\"},\"same\":[\"r\",\"y\"],\"from\":\"y\",\"to\":\"y\","
    "\"state\":\"st\",\"while\":[\"a\"],\"review\":\"low\"}]}]}";

static void relations(void) {
  qm_buf json = anew(), packed = anew();
  qm_buf_add(&json, relations_schema, sizeof relations_schema - 1);
  FUZZ_OK(qm_schema_json_compile(&packed, qm_buf_slice(&json), NULL));
  done("schema", &packed);
  done("schema_json", &json);
}

static void checks(void) {
  qm_buf json = anew(), packed = anew();
  qm_buf_add(&json, rich_schema, sizeof rich_schema - 1);
  FUZZ_OK(qm_schema_json_compile(&packed, qm_buf_slice(&json), NULL));
  done("schema", &packed);
  done("schema_json", &json);
  static const char *const texts[] = {"34052419800101001X", "91350100M000100Y43", "510181003201",
                                      "028-87654321-801", "+86 139 0000 0000", "2024-02-29",
                                      "field a: the code is no longer in use; use the new one (1)",
                                      "000000000000000000000000000000000000000000000000:7",
                                      "\x82\xa6" "amount\xd1\xf8\x30\xa8" "reverses\xa1x"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    pieces("validator", texts[i],
           "\3\1\4\1\5\t\2\6\5\3\5\b\t\7abcdefghijklmnopqrst0123456789ABCDEFGHIJ");
  pieces("schema_pack", "{\"tables\":[{\"name\":\"a\",\"file\":\"x\"}]}",
         "{\"codes\":[[\"1\"]],\"note\":\"n\"}");
  pieces("schema_pack", "{\"calendars\":[{\"file\":\"x\",\"name\":\"a\"},\n{\"file\":\"y\"}]}",
         "{\"years\":[2026,2026],\"off\":[\"2026-01-01\"]}");
}

static void enrolment(void) {
  qm_ca *ca = NULL;
  qm_key *key = NULL;
  qm_buf cert = anew(), pem = anew(), der = anew();
  qm_buf request = anew(), response = anew(), no = anew();
  qm_enrol_code code = {{1, 2, 3}, {4, 5, 6}};
  char words[QM_CODE_TEXT_SIZE];
  FUZZ_OK(qm_ca_create(fuzz_env(), qm_slice_of("made up", 7), fuzz_now, &ca));
  FUZZ_OK(qm_key_generate(fuzz_env(), &key));
  qm_buf_byte(&cert, 0);
  FUZZ_OK(qm_ca_issue_device(ca, qm_key_spki(key), fuzz_now, &cert));
  qm_slice bare = qm_slice_of(cert.p + 1, cert.n - 1);
  qm_buf_byte(&pem, 1);
  FUZZ_OK(qm_cert_to_pem(bare, &pem));
  qm_buf_byte(&der, 2);
  FUZZ_OK(qm_key_to_der(key, &der));
  qm_enrol_request q = {.name = qm_slice_of("phone", 5)};
  uint8_t digest[QM_DIGEST_SIZE];
  memcpy(q.spki, qm_key_spki(key).p, QM_SPKI_SIZE);
  qm_enrol_proof_digest(q.secret, qm_key_spki(key), digest);
  FUZZ_OK(qm_key_sign(key, digest, q.proof));
  qm_buf_byte(&request, 0);
  FUZZ_OK(qm_enrol_request_encode(&q, &request));
  qm_enrol_space sp[2] = {{.id = {{1}}}, {.id = {{2}}, .schema_version = 3}};
  sp[0].name = sp[1].name = sp[0].role = sp[1].role = sp[1].schema = qm_slice_of("x", 1);
  qm_enrol_response r = {.cert = bare, .ca = qm_ca_cert(ca), .hub = {{9}}, .spaces = sp,
                         .space_count = 2, .member = qm_slice_of("m", 1), .now_ms = fuzz_now};
  qm_buf_byte(&response, 1);
  FUZZ_OK(qm_enrol_response_encode(&r, &response));
  qm_enrol_response refusal = {.code = QM_ECODEUSED, .now_ms = fuzz_now};
  qm_buf_byte(&no, 1);
  FUZZ_OK(qm_enrol_response_encode(&refusal, &no));
  qm_code_text(&code, words);
  text("code", words);
  text("code", "0123456789ABCDEFGHJKMNPQRS");
  qm_buf authority = anew();
  qm_buf_byte(&authority, 0);
  qm_buf_add(&authority, qm_ca_cert(ca).p, qm_ca_cert(ca).n);
  done("cert", &authority);
  done("cert", &cert);
  done("cert", &pem);
  done("cert", &der);
  done("enrol", &request);
  done("enrol", &response);
  done("enrol", &no);
  qm_key_free(key);
  qm_ca_free(ca);
}

static void texts(void) {
  char settings[4096];
  qm_hub_config c;
  qm_hub_config_default(&c);
  (void)qm_hub_config_print(&c, settings, sizeof settings);
  text("config", settings);
  text("config", "listen = [::1]:0\nname=阡陌\r\n# no\n\nlog-level = debug\nlog-format=json\n");
  text("trace",
       "{\"op\":\"meta\",\"grid_of_device\":[0,0,1]}\n"
       "{\"op\":\"new\",\"d\":0,\"t\":10,\"c\":\"k\",\"r\":\"r1\"}\n"
       "{\"op\":\"set\",\"d\":0,\"t\":10,\"c\":\"k\",\"r\":\"r1\",\"f\":\"f1\",\"v\":\"x\"}\n"
       "{\"op\":\"add\",\"d\":1,\"t\":11,\"c\":\"k\",\"r\":\"r1\",\"f\":\"f2\",\"v\":1.5}\n"
       "{\"op\":\"remove\",\"d\":1,\"t\":11,\"c\":\"k\",\"r\":\"r1\",\"f\":\"f2\",\"v\":null}\n"
       "{\"op\":\"inc\",\"d\":1,\"t\":12,\"c\":\"k\",\"r\":\"r1\",\"f\":\"f3\",\"v\":-4}\n"
       "{\"op\":\"append\",\"d\":2,\"t\":12,\"c\":\"k\",\"r\":\"r1\",\"f\":\"f4\",\"v\":\"ab\"}\n"
       "{\"op\":\"chop\",\"d\":2,\"t\":13,\"c\":\"k\",\"r\":\"r1\",\"f\":\"f4\",\"n\":1}\n"
       "{\"op\":\"erase\",\"d\":2,\"t\":13,\"c\":\"k\",\"r\":\"r1\"}\n"
       "{\"op\":\"sync\",\"d\":2,\"t\":14}\n{\"op\":\"rush\",\"t\":15}\n");
  text("json_value", "{\"b\":[1,-2,3.5,1e300,true,false,null],\"a\":{\"é\":\"\\u0041\\n\"}}");
  text("json_value", "-0.0");
  text("json_value", "9223372036854775808");
  text("json_value", "[[[[[[[[\"deep\"]]]]]]]]");
  text("json_value", "{\"$bytes\":\"00ff\"}");
}

static void asides(void) {
  for (unsigned k = 0; k < 48; k++) {
    qm_buf out = anew();
    uint8_t choice[64];
    (void)fuzz_env()->random(NULL, choice, sizeof choice);
    qm_buf_byte(&out, (uint8_t)(k % 16));
    qm_buf_add(&out, choice, 8 + k);
    qm_mp_array(&out, 1);
    qm_aside a = {.next = 1 + k, .code = QM_EACCESS, .text = {(const uint8_t *)"why", 3}};
    a.has_signature = a.signature[0] = (uint8_t)(k & 1);
    qm_aside_put(&a, &out);
    done("aside", &out);
  }
}

/* A search as it goes, then with more and more of it changed; questions and answers by hand. */
static void repairs(void) {
  uint8_t vv[16], id[QM_ID_SIZE] = {0};
  memset(vv, 7, sizeof vv);
  for (unsigned k = 0; k < 64; k++) {
    qm_buf out = anew();
    uint8_t choice[96] = {0};
    size_t n = k < 32 ? STEP_CHOICES : sizeof choice;
    if (k >= 32) (void)fuzz_env()->random(NULL, choice, n);
    for (size_t i = 0; k >= 32 && i < n && i < 2u * (64 - k); i++) choice[i] = 0;
    qm_buf_byte(&out, (uint8_t)(k % 32));
    qm_buf_add(&out, choice, n);
    qm_mp_array(&out, 3);
    qm_mp_uint(&out, k % 3);
    qm_mp_bin(&out, vv, sizeof vv);
    qm_mp_array(&out, k % 3 ? 1 : 2);
    if (k % 3 == 0) qm_mp_uint(&out, 5 * (k / 3));
    id[0] = k % 3 || k < 3 ? 0 : 0x80;
    qm_mp_bin(&out, id, sizeof id);
    done("repair", &out);
  }
}

/* Choices at random are valid programs; a few low ones are tame ones. */
static void programs(void) {
  static const char *const names[] = {"ingest", "session", "client"};
  for (int i = 0; i < 3; i++) {
    uint8_t choice[800] = {0};
    save(names[i], qm_slice_of(choice, 40));
    for (unsigned k = 0; k < 40; k++) {
      size_t n = 16 + 19 * k;
      (void)fuzz_env()->random(NULL, choice, n);
      choice[0] &= i ? 31 : 255;
      /* Sparse faults: an honest stretch first. */
      for (size_t j = 1; i && j < 4 + k / 2; j++) choice[j] = 0;
      for (size_t j = 0; k & 1 && j < n; j++) choice[j] %= 200;
      save(names[i], qm_slice_of(choice, n));
    }
  }
}

static void all(qm_slice in) {
  (void)in;
  frames();
  batches();
  states();
  tokens();
  schemas();
  checks();
  relations();
  enrolment();
  texts();
  programs();
  asides();
  repairs();
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: fuzz_seeds DIR\n");
    return 2;
  }
  top = argv[1];
  (void)mkdir(top, 0777);
  fuzz_one(all, qm_slice_of(NULL, 0));
  printf("%u seeds\n", count);
  return 0;
}
