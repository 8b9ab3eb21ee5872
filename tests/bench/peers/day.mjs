// One peer on the sync day: node day.mjs PEER RUNS
// The hub is a process of its own, devices are five grids a process; they meet over TLS on
// loopback. What each device counts is bytes before TLS, framing and HTTP included.
import fs from 'node:fs';
import os from 'node:os';
import { execFileSync, fork } from 'node:child_process';
import * as lib from './lib.mjs';

const [which, runs = '3', role = '', ...more] = process.argv.slice(2);
const peer = await import(`./${which}.mjs`);
const PER_GRID = 5, GRIDS = 10, EDITS = 200, BASE = 1000, BOOT = 3000;

// --- roles of the other processes: each answers a message by one ---

const answer = handle => {
  process.on('disconnect', () => process.exit());
  process.on('message', async m => {
    try {
      process.send(await handle(m) || {});
    } catch (e) {
      console.error(e);
      process.exit(1);
    }
  });
};

const serve = async dir => {
  const tls = { key: fs.readFileSync(`${dir}/key.pem`), cert: fs.readFileSync(`${dir}/cert.pem`) };
  const hub = await peer.hub(dir, tls);
  answer(async m => {
    if (m.what === 'stored') await hub.stored();
    if (m.what === 'shown') return { shown: await hub.shown(m.grid) };
    return { port: hub.port, cpu: lib.cpu() };
  });
};

const devices = async (from, n, port, base, edits) => {
  const day = lib.day((from + n) * PER_GRID, base, edits), grids = [];
  for (let g = from; g < from + n; g++)
    grids.push(new peer.Grid(g, port, PER_GRID, day.base(g), i => day.edits(g * PER_GRID + i)));
  const all = fn => Promise.all(grids.map(fn));
  answer(async m => {
    const cpu = lib.cpu(), wall = lib.wall();
    const got = await all(g => g[m.what](m.device));
    const sum = { up: 0, down: 0, trips: 0 };
    for (const b of got) {
      sum.up += b?.up || 0;
      sum.down += b?.down || 0;
      sum.trips = Math.max(sum.trips, b?.trips || 0);
    }
    return { ...sum, cpu: lib.cpu() - cpu, wall: lib.wall() - wall, shown: m.what === 'shown' ? got : null };
  });
};

// --- the measurement ---

const ask = (child, message) => new Promise((yes, no) => {
  const ended = code => no(new Error(`a process ended with ${code}`));
  child.once('exit', ended);
  child.once('message', m => {
    child.removeListener('exit', ended);
    yes(m);
  });
  child.send(message);
});

const started = (...args) => fork(new URL(import.meta.url).pathname, [which, runs, ...args.map(String)],
  { execArgv: ['--max-old-space-size=4096'], env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' } });

const world = async (grids, base, edits, processes) => {
  const dir = fs.mkdtempSync(`${os.tmpdir()}/day-`);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-subj', '/CN=localhost', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`], { stdio: 'ignore' });
  const hub = started('hub', dir), { port } = await ask(hub, { what: 'port' });
  const parts = [], each = Math.ceil(grids / processes);
  for (let g = 0; g < grids; g += each)
    parts.push(started('devices', g, Math.min(each, grids - g), port, base, edits));
  const all = async (what, device) => {
    const got = await Promise.all(parts.map(p => ask(p, { what, device })));
    const sum = { up: 0, down: 0, trips: 0, wall: 0, cpu: 0, shown: [] };
    for (const r of got) {
      for (const k of ['up', 'down', 'cpu']) sum[k] += r[k];
      for (const k of ['trips', 'wall']) sum[k] = Math.max(sum[k], r[k]);
      sum.shown.push(...r.shown || []);
    }
    return sum;
  };
  return {
    all, stored: () => ask(hub, { what: 'stored' }),
    cpu: async () => (await ask(hub, { what: 'cpu' })).cpu,
    shown: async grid => (await ask(hub, { what: 'shown', grid })).shown,
    end: () => {
      for (const p of [hub, ...parts]) p.kill('SIGKILL');
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
};

const put = (id, unit, value) => lib.row(peer.name, peer.v, id, unit, value);

// Replicas and hub show the same, and what the day's edits make of the base (peer.Grid.shown
// fails where they don't).
const check = async (w, grids) => {
  const { shown } = await w.all('shown');
  lib.check(shown.length === grids, `${peer.name}: a grid is missing`);
  for (let g = 0; g < grids; g++)
    lib.check(await w.shown(g) === shown[g], `${peer.name}: the hub holds something else of grid ${g}`);
};

const rush = async () => {
  const w = await world(GRIDS, BASE, EDITS, 2), n = GRIDS * PER_GRID;
  await w.all('base');
  await w.all('edit');
  await w.all('connect');
  await w.stored();
  const cpu = await w.cpu(), r = await w.all('rush'), bytes = await w.all('bytes');
  await w.stored();
  put('day.cpu', 'us/edit', (await w.cpu() - cpu) / n / EDITS * 1e6);
  put('day.wall', 's', r.wall);
  put('day.devices_cpu', 'us/edit', r.cpu / n / EDITS * 1e6);
  put('day.up', 'kB', bytes.up / n / 1e3);
  put('day.down', 'kB', bytes.down / n / 1e3);
  await w.all('leave');
  await check(w, GRIDS);
  const none = await w.all('nothing');
  put('day.nothing_up', 'B', none.up / n);
  put('day.nothing_down', 'B', none.down / n);
  if (none.trips) put('day.nothing_trips', 'n', none.trips);
  w.end();
};

const bootstrap = async () => {
  const w = await world(1, BOOT, 0, 1);
  await w.all('base', 1); // the first alone
  await w.stored();
  const cpu = await w.cpu(), r = await w.all('fresh', 1);
  put('day.bootstrap.wall', 's', r.wall);
  put('day.bootstrap.device_cpu', 's', r.cpu);
  put('day.bootstrap.cpu', 's', await w.cpu() - cpu);
  put('day.bootstrap.bytes', 'MB', r.down / 1e6);
  w.end();
};

if (role === 'hub') await serve(more[0]);
else if (role === 'devices') await devices(...more.map(Number));
else
  for (let i = 0; i < +runs; i++) {
    await rush();
    await bootstrap();
  }
