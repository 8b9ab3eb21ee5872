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
// object a line. An error throws qianmo.QianmoError. Hooks of qm_options are not bound here yet.
// Since 0.1.0.
'use strict';

const CLASSES = ['ok', 'usage', 'absent', 'retry', 'refused', 'storage', 'corrupt', 'differ'];
const FOR_EVER = 0xffffffff;

// Arguments by letter, as the header has them: d database, t transaction, l link, s slice,
// z C string, u uint32, q uint64, i int64, T text out, E error out, O a handle out, N an int32
// out, R review options, S sync options and result. First: what comes back, - nothing.
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
  search: 'vdsssuuTE', due: 'vdsuuuTE', rebuild: 'vdE', attachments: 'vdsssTE',
  sync_run: 'vdQSE', sync_cancel: '-d', export_refused: 'vdTE', explain: 'vXY',
};

// Methods of a handle that only pass on: [their arguments' defaults, from the last on].
const OF_TRANSACTION = ['shown', 'delete', 'restore', 'merge', 'unmerge', 'distinct',
  'not_distinct', 'split', 'set', 'settle', 'raise', 'lower', 'add', 'remove', 'inc', 'append',
  'reverse', 'splice', 'insert', 'replace', 'remove_at', 'put', 'attach'];
const OF_DATABASE = ['suspend', 'resume', 'enroll', 'space_create', 'spaces', 'schema_text', 'get',
  'list', 'conflicts', 'duplicates', 'settles', 'undo', 'inbox', 'inbox_seen', 'inbox_restore',
  'history', 'status', 'record_status', 'refer', 'answers', 'check', 'keep', 'changes',
  'changes_wait', 'events', 'sql', 'search', 'due', 'rebuild', 'attachments', 'export_refused'];
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
    Y: koffi.inout(koffi.pointer(explanation)),
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

  class Transaction extends Handle {
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
      const h = this.end();
      if (h) c.cancel(h);
    }
  }
  for (const name of OF_TRANSACTION)
    Transaction.prototype[camel(name)] = function verb(...args) { return call(name, this.h(), args); };

  class Database extends Handle {
    // more: {busyMs, timeoutMs, historyDays, historyMb}
    constructor(file, flags = 0, more = {}) {
      const o = {}, out = [null], e = {};
      c.options_fill(o, koffi.sizeof(options));
      o.path = file;
      o.flags = flags;
      for (const [key, member] of [['busyMs', 'busy_ms'], ['timeoutMs', 'timeout_ms'],
        ['historyDays', 'history_days'], ['historyMb', 'history_mb']])
        if (more[key] !== undefined) o[member] = more[key];
      const rc = c.open(o, out, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      super(out[0]);
    }
    close() {
      const h = this.end();
      if (h) c.close(h);
    }
    begin(space = '') {
      const out = [null], e = {};
      const rc = c.begin(this.h(), sliceOf(space), out, e);
      if (rc !== 0) throw new QianmoError(rc, e);
      return new Transaction(out[0]);
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
    syncCancel() { c.sync_cancel(this.h()); }
    // A promise of what came of it; "more": 1 where the budget ended first.
    sync(budgetMs = 0) {
      const r = Object.fromEntries(RESULT.map((name) => [name, 0]));
      const e = {}, h = this.h();
      r.size = koffi.sizeof(result);
      r.reserved = 0;
      const o = { size: koffi.sizeof(run), budget_ms: budgetMs, payload: null, progress: null };
      return new Promise((resolve, reject) => {
        c.sync_run.async(h, o, r, e, (failure, rc) => {
          if (failure) reject(failure);
          else if (rc !== 0) reject(new QianmoError(rc, e));
          else resolve(Object.fromEntries(RESULT.map((name) => [name, Number(r[name])])));
        });
      });
    }
  }
  for (const name of OF_DATABASE)
    Database.prototype[camel(name)] = function ask(...args) { return call(name, this.h(), args); };

  return {
    CREATE: 1, NEW: 2, READONLY: 4, CHECK: 8, TEST_DATA: 16, JSON: 1, AGAIN: 2,
    DETAIL: 1, DELETED: 2, REVIEW: 4, FAST: 8, DISMISSED: 16, OVERDUE: 32, UNREAD: 1, FOR_EVER,
    Database, Transaction, QianmoError,
    version: () => c.version(),
    columns: (value) => Number(c.columns(sliceOf(value))),
    schemaValidate: (schema) => call('schema_validate', null, [schema]),
    schemaCompare: (older, newer) => call('schema_compare', null, [older, newer]),
    schemaPack: (schema, file) => call('schema_pack', null, [schema, file]),
    lines: (value) => value.split('\n').filter(Boolean).map((line) => JSON.parse(line)),
    layout: { slice, text, error, options, review, run, result, explanation },
    functions: Object.keys(SIGNATURES),
  };
};
