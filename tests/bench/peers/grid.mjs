// One peer on the trace of form saves: node grid.mjs play PEER FILE | merge PEER FILE RUNS,
// and on the day's records without a hub: boot PEER FILE RUNS
// play writes the uploads to FILE; merge plays them into a hub, in a process of its own.
import fs from 'node:fs';
import * as lib from './lib.mjs';

const [mode, which, file, runs = '3'] = process.argv.slice(2);
const peer = await import(`./${which}.mjs`);
const trace = lib.village('village-grid-seed1.jsonl.gz');
const put = (id, unit, value) => lib.row(peer.name, peer.v, id, unit, value);
const HUB = 500;

const play = () => {
  const g = peer.grid, hub = g.open(HUB), log = [];
  const devices = Array.from({ length: trace.devices }, (_, d) => g.open(d));
  const cursor = devices.map(() => 0);
  let local = 0;
  for (const s of trace.steps) {
    if (s.sync === undefined) {
      const from = lib.cpu();
      g.save(devices[s.d], s);
      local += lib.cpu() - from;
      continue;
    }
    const r = devices[s.sync], up = g.upload(r);
    if (up) {
      log.push({ d: s.sync, bytes: up });
      g.take(hub, up);
    }
    for (; cursor[s.sync] < log.length; cursor[s.sync]++) {
      const x = log[cursor[s.sync]];
      if (x.d !== s.sync) g.take(r, x.bytes);
    }
    g.synced(r);
  }
  const hubShown = g.read(hub);
  lib.checkVillage(trace, [hubShown, ...devices.map(r => g.read(r))], peer.name);
  put('grid.local_memory', 'ops/s', trace.ops / local);
  const state = g.full(hub), history = g.history?.(hub);
  put('grid.upload_bytes', 'MB', log.reduce((n, x) => n + x.bytes.length, 0) / 1e6);
  put('grid.snapshot', 'kB', state.length / 1e3);
  if (history) put('grid.history', 'kB', history.length / 1e3);
  lib.zipped(peer, 'grid.upload_bytes', 'MB', log.reduce((n, x) => n + lib.packed(x.bytes), 0) / 1e6);
  lib.zipped(peer, 'grid.snapshot', 'kB', lib.packed(state) / 1e3);
  if (history) lib.zipped(peer, 'grid.history', 'kB', lib.packed(history) / 1e3);
  live(hub);
  const out = fs.openSync(file, 'w'), head = Buffer.alloc(4);
  for (const b of [Buffer.from(lib.canon(hubShown)), ...log.map(x => x.bytes)]) {
    head.writeUInt32LE(b.length);
    fs.writeSync(out, head);
    fs.writeSync(out, b);
  }
  fs.closeSync(out);
  return state;
};

// In an open session, a peer's own framing left out: one short field; then nothing new.
const live = hub => {
  const g = peer.grid, s = trace.steps.find(x => x.d === 0 && x.ops?.some(o => o.f === 'phone'));
  const r = g.load(g.full(hub));
  const change = () => g.save(r, { r: s.r, ops: [{ op: 'set', f: 'phone', v: '10000000000' }] });
  g.synced(r);
  let bytes;
  if (g.live) bytes = g.live(r, change);
  else {
    change();
    bytes = g.upload(r);
  }
  put('session.live', 'B', bytes.length);
  if (!g.sync) return;
  g.take(hub, bytes);
  g.sync(r, hub);
  const t = g.sync(r, hub);
  put('session.nothing_up', 'B', t.up);
  put('session.nothing_down', 'B', t.down);
  put('session.nothing_trips', 'n', t.trips);
};

// The day's bootstrap: the records of a grid into an empty replica.
const bootstrap = () => {
  const g = peer.grid, full = g.open(0), { base } = lib.day(5, 3000, 0);
  for (const [id, fields] of base(0))
    g.save(full, { r: id, fresh: true, ops: Object.entries(fields).map(([f, v]) => ({ op: 'set', f, v })) });
  for (let i = 0; i < +runs; i++) {
    const from = lib.wall(), empty = g.open(1);
    delete full.shared;
    const t = g.sync(empty, full);
    const took = lib.wall() - from;
    lib.check(g.read(empty).size === 3000 && lib.canon(g.read(empty)) === lib.canon(g.read(full)), 'bootstrap');
    put('day.bootstrap.wall', 's', took);
    put('day.bootstrap.bytes', 'MB', t.down / 1e6);
  }
};

const load = state => {
  for (let i = 0; i < +runs; i++) {
    const from = lib.cpu();
    const shown = peer.grid.read(peer.grid.load(state));
    const took = lib.cpu() - from;
    lib.check(shown.size > 3000, 'load');
    put('grid.load', 'ms', took * 1e3);
  }
};

const merge = () => {
  const all = fs.readFileSync(file), parts = [];
  for (let at = 0; at < all.length;) {
    const n = all.readUInt32LE(at);
    parts.push(new Uint8Array(all.subarray(at + 4, at + 4 + n)));
    at += 4 + n;
  }
  const want = Buffer.from(parts.shift()).toString();
  const idle = process.resourceUsage().maxRSS;
  for (let i = 0; i < +runs; i++) {
    const hub = peer.grid.open(HUB), from = lib.cpu();
    for (const p of parts) peer.grid.take(hub, p);
    if (peer.grid.settle) peer.grid.settle(hub);
    const took = lib.cpu() - from;
    if (i === 0) put('grid.hub_memory.peak', 'MB', (process.resourceUsage().maxRSS - idle) / 1e3);
    lib.check(lib.canon(peer.grid.read(hub)) === want, 'merge');
    put('grid.hub_memory', 'ops/s', trace.ops / took);
  }
};

if (mode === 'play') load(play());
else if (mode === 'merge') merge();
else if (peer.grid.sync) bootstrap();
