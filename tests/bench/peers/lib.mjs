// What the peers' scripts share: traces, clocks, rows. Plain Node.
import fs from 'node:fs';
import zlib from 'node:zlib';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const root = process.env.QIANMO_ROOT || '../..';
export const traces = `${root}/fixtures/traces`;

export const version = name => {
  for (const dir of require.resolve.paths(name) || []) {
    const file = `${dir}/${name}/package.json`;
    if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8')).version;
  }
  return '?';
};

// Seconds of CPU of this process, all its threads.
export const cpu = () => {
  const u = process.cpuUsage();
  return (u.user + u.system) / 1e6;
};
export const wall = () => performance.now() / 1e3;

const gunzip = name => zlib.gunzipSync(fs.readFileSync(`${traces}/${name}`)).toString();

export const fail = what => {
  console.error(`peers: ${what}`);
  process.exit(1);
};
export const check = (good, what) => { if (!good) fail(what); };

// One JSON object a line: {id, unit, peer, version, value}
export const row = (peer, version_, id, unit, value) =>
  console.log(JSON.stringify({ id, unit, peer, version: version_, value }));

// With the best packer that Node has, beside what the peer gives.
export const packed = bytes => Math.min(bytes.length, zlib.brotliCompressSync(bytes, {
  params: { [zlib.constants.BROTLI_PARAM_LGWIN]: 24, [zlib.constants.BROTLI_PARAM_QUALITY]: 11 },
}).length);

export const zipped = (peer, id, unit, value) => row(`${peer.name} + brotli 11`, peer.v, id, unit, value);

// --- form saves ---

// {devices, gridOf, ops, steps}; a step is {sync: device} or {d, c, r, fresh, erase, ops}.
export const village = name => {
  const lines = gunzip(name).split('\n').filter(Boolean).map(s => JSON.parse(s));
  const meta = lines.shift(), steps = [];
  let last = null, ops = 0;
  for (const l of lines) {
    if (l.op === 'sync') {
      steps.push({ sync: l.d });
      last = null;
      continue;
    }
    ops++;
    if (!last || last.d !== l.d || last.t !== l.t || last.c !== l.c || last.r !== l.r) {
      last = { d: l.d, t: l.t, c: l.c, r: l.r, fresh: false, erase: false, ops: [] };
      steps.push(last);
    }
    if (l.op === 'new') last.fresh = true;
    else if (l.op === 'erase') last.erase = true;
    else last.ops.push(l);
  }
  return { devices: meta.devices, gridOf: meta.grid_of_device, ops, steps };
};

export const COUNTERS = new Set(['visits', 'urges']), SETS = new Set(['tags', 'photos']);

// The trace in order, and who wrote each field: what one device alone wrote there is nothing to
// merge of.
export const model = trace => {
  const records = new Map(), writers = new Map(), erased = new Set();
  for (const s of trace.steps) {
    if (s.sync !== undefined) continue;
    if (s.fresh) records.set(s.r, { notes: '' });
    if (s.erase) erased.add(s.r);
    for (const o of s.ops) {
      const at = `${s.r} ${o.f}`, w = writers.get(at);
      if (w === undefined) writers.set(at, s.d);
      else if (w !== s.d) writers.set(at, -1);
      apply(records.get(s.r), o);
    }
  }
  return { records, writers, erased };
};

const apply = (rec, o) => {
  switch (o.op) {
    case 'set': rec[o.f] = o.v; break;
    case 'inc': rec[o.f] = (rec[o.f] || 0) + o.v; break;
    case 'add': rec[o.f] = [...new Set([...(rec[o.f] || []), o.v])].sort(); break;
    case 'remove': rec[o.f] = (rec[o.f] || []).filter(v => v !== o.v); break;
    case 'append': rec.notes += o.v; break;
    case 'chop': rec.notes = rec.notes.slice(0, Math.max(0, rec.notes.length - o.n)); break;
    default: fail(`op ${o.op}`);
  }
};

// Canonical text of what a replica shows: id -> fields, empty sets left out.
export const canon = shown => JSON.stringify([...shown.keys()].sort().map(id => {
  const rec = shown.get(id);
  return [id, Object.keys(rec).sort().filter(f => !(Array.isArray(rec[f]) && !rec[f].length))
    .map(f => [f, rec[f]])];
}));

// Replicas show the same; what one device alone wrote is what it wrote.
export const checkVillage = (trace, all, who) => {
  const want = model(trace), first = canon(all[0]);
  all.forEach((s, i) => check(canon(s) === first, `${who}: replica ${i} differs`));
  let alone = 0;
  for (const [id, rec] of want.records) {
    if (want.erased.has(id)) continue;
    const shown = all[0].get(id);
    check(shown, `${who}: ${id} is missing`);
    for (const [f, v] of Object.entries(rec)) {
      if (want.writers.get(`${id} ${f}`) === -1) continue;
      alone++;
      const is = JSON.stringify(shown[f] ?? []), wanted = JSON.stringify(v);
      if (is !== wanted) fail(`${who}: ${id} ${f} is ${is}, not ${wanted}`);
    }
  }
  check(alone > 30000, `${who}: too few fields were checked (${alone})`);
};

// Flat fields of a record for peers that have maps: an element of a set and a device's part of
// a counter are keys of their own, so that concurrent ones do not overwrite each other.
export const setKey = (f, v) => `${f}/${v}`;
export const unflat = flat => {
  const rec = { notes: '' };
  for (const [k, v] of Object.entries(flat)) {
    const i = k.indexOf('/');
    if (i < 0) { rec[k] = v; continue; }
    const f = k.slice(0, i);
    if (SETS.has(f)) (rec[f] ||= []).push(k.slice(i + 1));
    else rec[f] = (rec[f] || 0) + v;
  }
  for (const f of SETS) rec[f]?.sort();
  return rec;
};

// --- the sync day ---

// base(g): [[id, fields]] of a grid; edits(d): the same of a device, made offline.
export const day = (devices, base, edits) => {
  const out = execFileSync('node', [`${traces}/gen-day.mjs`, '--devices', devices, '--base', base,
    '--edits', edits], { maxBuffer: 1 << 28 }).toString();
  const grids = [], edit = [];
  let written = false, last = null;
  for (const text of out.split('\n')) {
    const l = text ? JSON.parse(text) : {};
    if (l.op === 'sync') written = true;
    if (l.op !== 'new' && l.op !== 'set') continue;
    if (!last || last.r !== l.r || last.d !== l.d || last.t !== l.t) {
      last = { ...l, fields: {} };
      (written ? edit[l.d] ||= [] : grids[Math.floor(l.d / 5)] ||= []).push([l.r, last.fields]);
    }
    if (l.op === 'set') last.fields[l.f] = l.v;
  }
  return { base: g => grids[g], edits: d => edit[d] || [] };
};

// --- typing ---

export const typing = name => {
  const t = JSON.parse(gunzip(name));
  return { end: t.endContent, txns: t.txns, edits: t.txns.flatMap(x => x.patches) };
};
