// qianmo in Node: core/qianmo.h through koffi.
//
//   const qianmo = require('./qianmo.js')(require('koffi'), 'build/libqianmo.so');
//   const db = new qianmo.Database('village.db', qianmo.CREATE);
//   db.transaction('grid 3', (tx) => {          // committed at the end, cancelled by an exception
//     const [household] = tx.new('household', '12');
//     tx.set('household', household, 'head', 'Wang (invented)');
//   });
//   await db.sync();                             // on another thread; everything else is in place
//
// Methods are named as the functions of qianmo.h, in camelCase and in their order of arguments;
// what they do stands there. Texts are strings, results the JSON text; lines() reads one of an
// object a line. An error throws qianmo.QianmoError.
//
// Hooks of qm_options are functions given to Database: {nowMs, random, log, instance, keyLoad,
// keySave, keyPoint, keySign, checkHub}; one that throws makes the call fail, a QianmoError with its
// own code. They run on the main thread: while a sync of a database with hooks is under way, its
// other calls are refused (EBUSY), for they could wait for a hook that waits for them. Since 0.1.0.
'use strict';

const CLASSES = ['ok', 'usage', 'absent', 'retry', 'refused', 'storage', 'corrupt', 'differ'];
const FOR_EVER = 0xffffffff;

// Arguments by letter, as the header has them: d database, t transaction, l link, s slice,
// z C string, u uint32, q uint64, i int64, T text out, E error out, O a handle out, N an int32
// out, L a size_t out, D a double in and out, B a buffer, R review options, S sync options and
// result. First: what comes back, - nothing.
const SIGNATURES = {
  abi: 'u', version: 'z', error_text: 'zvz', err_name: 'zv', err_class: 'vv', columns: 'Zs',
  options_fill: '-Pn', text_free: '-F', open: 'vpOE', close: '-d', suspend: 'vduE', resume: 'vdE',
  enroll: 'vdsssE', space_create: 'vdsssE', spaces: 'vdTE', schema_text: 'vdsTE',
  schema_validate: 'vsTE', schema_compare: 'vssTE', schema_pack: 'vszTE',
  begin: 'vdsOE', commit: 'vtE', cancel: '-t', written: 'ut', shown: 'vtsE', new: 'vtssTNE',
  delete: 'vtssE', restore: 'vtssE', merge: 'vtsssE', unmerge: 'vtssE', distinct: 'vtsssE',
  not_distinct: 'vtsssE', split: 'vtsssTE', set: 'vtssssuE', settle: 'vtssssuE',
  raise: 'vtssssuE', lower: 'vtssssuE', add: 'vtssssuE', remove: 'vtssssuE', inc: 'vtsssiE',
  append: 'vtssssuE', reverse: 'vtsssssE', refer: 'vdssssTE', answers: 'vdsssTE',
  splice: 'vtsssqqsE', insert: 'vtsssqsuE', replace: 'vtsssqsuE',
  remove_at: 'vtsssqqE', put: 'vtssssuE', attach: 'vtssszTE', get: 'vdsssuTE', list: 'vdsssuuTE',
  conflicts: 'vdssTE', duplicates: 'vdsssuuuTE', review: 'vdsRTE', settles: 'vdsTE', undo: 'vdsE',
  inbox: 'vdsuTE', inbox_seen: 'vdsE', inbox_restore: 'vdsE', history: 'vdsssTE', status: 'vduTE',
  record_status: 'vdsssTE', export_hub: 'vdTE', check: 'vdTE', keep: 'vduuE', changes: 'vdsuTE',
  changes_wait: 'vdsuE', interrupt: '-d', events: 'vduTE', events_fd: 'vdNE', sql: 'vdssqqTE',
  search: 'vdsssuuTE', due: 'vdsuuuTE', proposals: 'vdsuuTE', unfit: 'vdsuuTE', rebuild: 'vdE', attachments: 'vdsssTE',
  sync_run: 'vdQSE', sync_cancel: '-d', export_refused: 'vdTE', explain: 'vXY',
  link_open: 'vdOE', link_feed: 'vlsLE', link_take: 'vlBnLE', link_wait: 'ul', link_over: 'vl',
  link_close: 'vlSE', point_shown: 'vDDvv',
};

// Methods of a handle that only pass on: [their arguments' defaults, from the last on].
const OF_TRANSACTION = ['shown', 'delete', 'restore', 'merge', 'unmerge', 'distinct',
  'not_distinct', 'split', 'set', 'settle', 'raise', 'lower', 'add', 'remove', 'inc', 'append',
  'reverse', 'splice', 'insert', 'replace', 'remove_at', 'put', 'attach'];
const OF_DATABASE = ['suspend', 'resume', 'enroll', 'space_create', 'spaces', 'schema_text', 'get',
  'list', 'conflicts', 'duplicates', 'settles', 'undo', 'inbox', 'inbox_seen', 'inbox_restore',
  'history', 'status', 'record_status', 'refer', 'answers', 'check', 'keep', 'changes',
  'changes_wait', 'events', 'sql', 'search', 'due', 'proposals', 'unfit', 'rebuild', 'attachments', 'export_refused'];
const RESULT = ['refused', 'bytes_up', 'bytes_down', 'segments_up', 'segments_down', 'spaces',
  'spaces_differing', 'clock_offset_ms', 'renewed', 'code', 'repaired', 'repaired_states', 'more'];

const camel = (name) => name.replace(/_(\w)/g, (_, c) => c.toUpperCase());

module.exports = function bind(koffi, path = 'libqianmo.so.0') {
  const lib = koffi.load(path);
  const handle = koffi.pointer(koffi.opaque());
  const slice = koffi.struct({ p: 'const uint8_t *', n: 'size_t' });
  const text = koffi.struct({ p: 'void *', n: 'size_t' });
  const error = koffi.struct({ code: 'int32_t', message: koffi.array('uint8_t', 252) });
  const options = koffi.struct({
    size: 'uint32_t', flags: 'uint32_t', path: 'const char *', busy_ms: 'uint32_t',
    timeout_ms: 'uint32_t', payload: 'void *', now_ms: 'void *', random: 'void *', log: 'void *',
    instance: 'void *', history_days: 'uint32_t', history_mb: 'uint32_t', allocate: 'void *',
    key_load: 'void *', key_save: 'void *', key_point: 'void *', key_sign: 'void *',
    check_hub: 'void *',
  });
  const review = koffi.struct({
    size: 'uint32_t', severity: 'uint32_t', limit: 'uint32_t', offset: 'uint32_t',
    collection: slice, record: slice, cls: slice,
  });
  const run = koffi.struct({
    size: 'uint32_t', budget_ms: 'uint32_t', payload: 'void *', progress: 'void *',
  });
  const result = koffi.struct({
    size: 'uint32_t', refused: 'uint32_t', bytes_up: 'uint64_t', bytes_down: 'uint64_t',
    segments_up: 'uint64_t', segments_down: 'uint64_t', spaces: 'uint32_t',
    spaces_differing: 'uint32_t', clock_offset_ms: 'int64_t', renewed: 'int32_t', code: 'int32_t',
    repaired: 'uint32_t', repaired_states: 'uint32_t', more: 'uint32_t', reserved: 'uint32_t',
  });
  const explanation = koffi.struct({
    size: 'uint32_t', reason: 'const char *', en: 'const char *', zh: 'const char *',
    field: text, detail: text,
  });
  const types = {
    d: handle, t: handle, s: slice, z: 'const char *', u: 'uint32_t', q: 'uint64_t',
    i: 'int64_t', v: 'int32_t', n: 'size_t', '-': 'void', Z: 'size_t',
    T: koffi.out(koffi.pointer(text)), F: koffi.inout(koffi.pointer(text)),
    E: koffi.out(koffi.pointer(error)), O: koffi.out(koffi.pointer(handle)),
    N: koffi.out(koffi.pointer('int32_t')), p: koffi.pointer(options),
    P: koffi.out(koffi.pointer(options)), R: koffi.pointer(review), Q: koffi.pointer(run),
    S: koffi.inout(koffi.pointer(result)), X: koffi.pointer(error),
    Y: koffi.inout(koffi.pointer(explanation)), l: handle, L: koffi.out(koffi.pointer('size_t')),
    D: koffi.inout(koffi.pointer('double')), B: koffi.pointer('uint8_t'),
  };
  const c = {};
  for (const [name, letters] of Object.entries(SIGNATURES))
    c[name] = lib.func('qm_' + name, types[letters[0]], [...letters.slice(1)].map((x) => types[x]));
  if (c.abi() !== 1) throw new Error(`${path} has ABI ${c.abi()}, not 1`);

  const sliceOf = (value) => {
    const p = Buffer.isBuffer(value) ? value : Buffer.from(String(value ?? ''), 'utf8');
    return { p, n: p.length };
  };
  const bytesOf = (t) => {
    if (!t.p || !t.n) return Buffer.alloc(0);
    return Buffer.from(koffi.decode(t.p, koffi.array('uint8_t', Number(t.n), 'Typed')));
  };
  const take = (t, asBytes = false) => {
    const b = bytesOf(t);
    c.text_free(t);
    return asBytes ? b : b.toString('utf8');
  };
  const messageOf = (e) => {
    const b = Buffer.from(e.message);
    return b.subarray(0, Math.max(0, b.indexOf(0))).toString('utf8');
  };

  class QianmoError extends Error {
    constructor(code, e = null) {
      const said = e ? messageOf(e) : '';
      super(said || c.error_text(code, 'en'));
      this.number = code;
      this.code = c.err_name(code);
      this.cls = CLASSES[c.err_class(code)];
      this.raw = e;
    }
    text(language = 'en') { return c.error_text(this.number, language); }
    // Why a value was refused: {reason, en, zh, field, detail}, or null.
    explain() {
      const out = { size: koffi.sizeof(explanation), reason: null, en: null, zh: null,
        field: { p: null, n: 0 }, detail: { p: null, n: 0 } };
      if (!this.raw) return null;
      const e = koffi.alloc(error, 1); // field and detail point into it
      koffi.encode(e, error, this.raw);
      try {
        if (c.explain(e, out) !== 0) return null;
        return { reason: out.reason, en: out.en, zh: out.zh,
          field: bytesOf(out.field).toString(), detail: bytesOf(out.detail).toString() };
      } finally {
        koffi.free(e);
      }
    }
  }

  // A function that ends with (…, [text,] error), its arguments as the signature says.
  const call = (name, h, args, asBytes = false) => {
    const letters = SIGNATURES[name].slice(h ? 2 : 1);
    const given = [...letters].filter((x) => !'TE'.includes(x));
    const e = {}, t = {};
    const all = given.map((x, i) => {
      if (x === 's') return sliceOf(args[i]);
      return x === 'z' ? String(args[i]) : args[i] ?? (x === 'R' ? null : 0);
    });
    const out = letters.includes('T');
    const rc = c[name](...(h ? [h] : []), ...all, ...(out ? [t, e] : [e]));
    if (rc !== 0) throw new QianmoError(rc, e);
    return out ? take(t, asBytes) : undefined;
  };

  // ---- hooks ----

  const EIO = -70, EINVAL = -1, ELIMIT = -4, ENOTFOUND = -60, EBUSY = -75;
  const put = (to, data) => koffi.encode(to, koffi.array('uint8_t', data.length), [...data]);
  const get = (p, n) => Buffer.from(koffi.decode(p, koffi.array('uint8_t', Number(n), 'Typed')));
  const exactly = (to, n, data) => {
    if (data.length !== Number(n)) return EINVAL;
    put(to, data);
    return 0;
  };
  const atMost = (to, n, data) => { // *n: the room, then how much it is
    if (data === null || data === undefined) return ENOTFOUND;
    if (data.length > Number(koffi.decode(n, 'size_t'))) return ELIMIT;
    put(to, data);
    koffi.encode(n, 'size_t', data.length);
    return 0;
  };
  // name in qm_options: [the name here, its type, what calls the function].
  const HOOKS = {
    now_ms: ['nowMs', 'uint64_t(void *)', (f) => () => f()],
    random: ['random', 'int32_t(void *, uint8_t *, size_t)', (f) => (_, to, n) => exactly(to, n, f(Number(n)))],
    log: ['log', 'void(void *, int32_t, const char *)', (f) => (_, level, message) => { f(level, message); }],
    instance: ['instance', 'int32_t(void *, uint8_t *)', (f) => (_, to) => exactly(to, 16, f())],
    key_load: ['keyLoad', 'int32_t(void *, uint8_t *, size_t *)', (f) => (_, to, n) => atMost(to, n, f())],
    key_save: ['keySave', 'int32_t(void *, const uint8_t *, size_t)', (f) => (_, key, n) => { f(get(key, n)); return 0; }],
    key_point: ['keyPoint', 'int32_t(void *, uint8_t *)', (f) => (_, to) => exactly(to, 65, f())],
    key_sign: ['keySign', 'int32_t(void *, const uint8_t *, uint8_t *, size_t *)',
      (f) => (_, digest, to, n) => atMost(to, n, f(get(digest, 32)))],
    check_hub: ['checkHub', 'int32_t(void *, const char *, void *, uint32_t)', (f) => (_, host, chain, n) => {
      f(host, koffi.decode(chain, koffi.array(text, n)).map(bytesOf));
      return 0;
    }],
  };
  const prototypes = {};
  for (const [name, [, type]] of Object.entries(HOOKS)) {
    const [, back, parameters] = /^(\w+)\((.*)\)$/.exec(type);
    prototypes[name] = koffi.pointer(koffi.proto(`qm_hook_${name}`, back, parameters.split(', ')));
  }
  // Nothing that is thrown may pass through the library.
  const guarded = (name, f) => (...args) => {
    try {
      return f(...args);
    } catch (e) {
      if (name === 'now_ms') return Date.now();
      return e instanceof QianmoError ? e.number : EIO;
    }
  };
  // Puts them into the options; what is to be unregistered in the end.
  const setHooks = (o, given) => {
    const registered = [];
    for (const [name, [key, , adapt]] of Object.entries(HOOKS)) {
      if (given[key] === undefined) continue;
      o[name] = koffi.register(guarded(name, adapt(given[key])), prototypes[name]);
      registered.push(o[name]);
    }
    return registered;
  };

  class Handle {
    #h;
    constructor(h) { this.#h = h; }
    get open() { return this.#h !== null; }
    h() {
      if (!this.#h) throw new QianmoError(-5);
      return this.#h;
    }
    end() {
      const h = this.#h;
      this.#h = null;
      return h;
    }
  }

  // What belongs to a database, and ends with it at the latest.
  class Part extends Handle {
    #db;
    constructor(db, h) {
      super(h);
      this.#db = db;
    }
    h() {
      this.#db.h();
      return super.h();
    }
    get ended() { return !this.open || !this.#db.open; }
  }

  class Transaction extends Part {
    new(collection, key = '') {
      const e = {}, t = {}, existing = [0];
      const rc = c.new(this.h(), sliceOf(collection), sliceOf(key), t, existing, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      return [take(t), existing[0] === 1];
    }
    written() { return c.written(this.h()); }
    commit() {
      const e = {};
      this.h();
      const rc = c.commit(this.end(), e);
      if (rc !== 0) throw new QianmoError(rc, e);
    }
    cancel() {
      const ended = this.ended;
      const h = this.end();
      if (!ended) c.cancel(h);
    }
  }
  for (const name of OF_TRANSACTION)
    Transaction.prototype[camel(name)] = function verb(...args) { return call(name, this.h(), args); };

  // A sync over the program's own transport; from Database.link.
  class Link extends Part {
    #released;
    constructor(db, h, released) {
      super(db, h);
      this.#released = released;
    }
    // How many of the bytes were taken.
    feed(bytes) {
      const used = [0], e = {};
      const rc = c.link_feed(this.h(), sliceOf(bytes), used, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      return Number(used[0]);
    }
    take(room = 65536) {
      const to = Buffer.alloc(room), n = [0], e = {};
      const rc = c.link_take(this.h(), to, room, n, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      return to.subarray(0, Number(n[0]));
    }
    wait() { return c.link_wait(this.h()); }
    over() { return c.link_over(this.h()) === 1; }
    // What it came to. After EBUSY to be called again.
    close() {
      const r = newResult(), e = {};
      const rc = c.link_close(this.h(), r, e);
      if (rc !== EBUSY) {
        this.end();
        this.#released(this);
      }
      if (rc !== 0) throw new QianmoError(rc, e);
      return resultOf(r);
    }
  }

  const newResult = () => ({ ...Object.fromEntries(RESULT.map((name) => [name, 0])),
    size: koffi.sizeof(result), reserved: 0 });
  const resultOf = (r) => Object.fromEntries(RESULT.map((name) => [name, Number(r[name])]));

  class Database extends Handle {
    #hooks;
    #links = new Set();
    #syncing = 0;
    // more: {busyMs, timeoutMs, historyDays, historyMb}, and hooks
    constructor(file, flags = 0, more = {}) {
      const o = {}, out = [null], e = {};
      c.options_fill(o, koffi.sizeof(options));
      o.path = file;
      o.flags = flags;
      for (const [key, member] of [['busyMs', 'busy_ms'], ['timeoutMs', 'timeout_ms'],
        ['historyDays', 'history_days'], ['historyMb', 'history_mb']])
        if (more[key] !== undefined) o[member] = more[key];
      const hooks = setHooks(o, more);
      const rc = c.open(o, out, e);
      if (rc !== 0) {
        hooks.forEach((p) => koffi.unregister(p));
        throw new QianmoError(rc, e);
      }
      super(out[0]);
      this.#hooks = hooks;
    }
    h() {
      const h = super.h();
      if (this.#syncing && this.#hooks.length) throw new QianmoError(EBUSY);
      return h;
    }
    // A sync must have ended.
    close() {
      if (!this.open) return;
      if (this.#syncing) throw new QianmoError(EBUSY);
      for (const link of [...this.#links]) {
        try {
          link.close();
        } catch {
          // it was cut
        }
      }
      c.close(this.end());
      this.#hooks.forEach((p) => koffi.unregister(p));
    }
    begin(space = '') {
      const out = [null], e = {};
      const rc = c.begin(this.h(), sliceOf(space), out, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      return new Transaction(this, out[0]);
    }
    link() {
      const out = [null], e = {};
      const rc = c.link_open(this.h(), out, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      const link = new Link(this, out[0], (ended) => this.#links.delete(ended));
      this.#links.add(link);
      return link;
    }
    transaction(space, work) {
      const tx = this.begin(space);
      try {
        const value = work(tx);
        tx.commit();
        return value;
      } finally {
        tx.cancel();
      }
    }
    // what: {severity, limit, offset, collection, record, cls}
    review(space = '', what = {}) {
      const r = { size: koffi.sizeof(review), severity: what.severity ?? 0, limit: what.limit ?? 0,
        offset: what.offset ?? 0, collection: sliceOf(what.collection),
        record: sliceOf(what.record), cls: sliceOf(what.cls) };
      return call('review', this.h(), [space, r]);
    }
    exportHub() { return call('export_hub', this.h(), [], true); }
    interrupt() { c.interrupt(this.h()); }
    eventsFd() {
      const fd = [0], e = {};
      const rc = c.events_fd(this.h(), fd, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      return fd[0];
    }
    syncCancel() { if (this.open) c.sync_cancel(super.h()); }
    // A promise of what came of it; "more": 1 where the budget ended first.
    sync(budgetMs = 0) {
      const r = newResult(), e = {}, h = this.h();
      const o = { size: koffi.sizeof(run), budget_ms: budgetMs, payload: null, progress: null };
      this.#syncing++;
      return new Promise((resolve, reject) => {
        c.sync_run.async(h, o, r, e, (failure, rc) => {
          this.#syncing--;
          if (failure) reject(failure);
          else if (rc !== 0) reject(new QianmoError(rc, e));
          else resolve(resultOf(r));
        });
      });
    }
  }
  for (const name of OF_DATABASE)
    Database.prototype[camel(name)] = function ask(...args) { return call(name, this.h(), args); };

  return {
    CREATE: 1, NEW: 2, READONLY: 4, CHECK: 8, TEST_DATA: 16, JSON: 1, AGAIN: 2,
    DETAIL: 1, DELETED: 2, REVIEW: 4, FAST: 8, DISMISSED: 16, OVERDUE: 32, CERTIFICATES: 64,
    UNREAD: 1, WGS84: 1, GCJ02: 2, FOR_EVER,
    Database, Transaction, QianmoError,
    version: () => c.version(),
    columns: (value) => Number(c.columns(sliceOf(value))),
    schemaValidate: (schema) => call('schema_validate', null, [schema]),
    schemaCompare: (older, newer) => call('schema_compare', null, [older, newer]),
    // [latitude, longitude] in the datum of a map; for display only.
    pointShown: (latitude, longitude, from, to) => {
      const x = [latitude], y = [longitude];
      const rc = c.point_shown(x, y, from, to);
      if (rc !== 0) throw new QianmoError(rc);
      return [x[0], y[0]];
    },
    schemaPack: (schema, file) => call('schema_pack', null, [schema, file]),
    lines: (value) => value.split('\n').filter(Boolean).map((line) => JSON.parse(line)),
    layout: { slice, text, error, options, review, run, result, explanation },
    functions: Object.keys(SIGNATURES),
  };
};
