// Plays every peer and writes ../bench-peers.json: node run.mjs [RUNS] [PEER…]
// A row a line: {id, unit, peer, version, median, min, max, runs}. A peer whose result is not
// what the trace says has no rows, and is named at the end.
import fs from 'node:fs';
import { spawnSync } from 'node:child_process';

const [runs = '3', ...wanted] = process.argv.slice(2);
const rows = new Map(), failed = [];
const dir = new URL('.', import.meta.url).pathname;

const run = (name, command, args, cwd = dir) => {
  process.stderr.write(`peers: ${name}\n`);
  const out = spawnSync(command, args, {
    cwd, maxBuffer: 1 << 26, timeout: 1800e3, stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (out.status !== 0) {
    failed.push(name);
    return;
  }
  for (const line of out.stdout.toString().split('\n')) {
    if (!line.startsWith('{')) continue;
    const r = JSON.parse(line), key = `${r.id} ${r.peer}`;
    if (!rows.has(key)) rows.set(key, { ...r, values: [] });
    rows.get(key).values.push(r.value);
  }
};

const uploads = p => `${dir}/${p}.uploads`;
const suites = {};
for (const p of ['yjs', 'loro', 'automerge', 'jsonjoy'])
  suites[p] = () => {
    for (let i = 0; i < +runs; i++) run(`${p}: form saves`, 'node', ['grid.mjs', 'play', p, uploads(p), '1']);
    run(`${p}: hub`, 'node', ['grid.mjs', 'merge', p, uploads(p), runs]);
    run(`${p}: records of a day`, 'node', ['grid.mjs', 'boot', p, uploads(p), runs]);
    run(`${p}: typing`, 'node', ['text.mjs', p, runs]);
  };
for (const p of ['hocuspocus', 'pouchdb'])
  suites[p] = () => run(`${p}: sync day`, 'node', ['day.mjs', p, runs]);
const extension = `${dir}/node_modules/@sqliteai/sqlite-sync-linux-x86_64`;
suites['cr-sqlite'] = () => run('cr-sqlite', 'node', ['crsqlite.mjs', runs]);
suites['sqlite-sync'] = () => {
  process.env.SQLITE_SYNC_VERSION = JSON.parse(fs.readFileSync(`${extension}/package.json`)).version;
  run('sqlite-sync', process.env.SQLITE_SYNC, [`${extension}/cloudsync.so`, runs], process.env.QIANMO_ROOT);
};

for (const [name, suite] of Object.entries(suites))
  if (!wanted.length || wanted.includes(name)) suite();

const lines = [...rows.values()].map(({ value, values, ...r }) => {
  values.sort((a, b) => a - b);
  const n = values.length, m = n % 2 ? values[n >> 1] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return JSON.stringify({ ...r, median: m, min: values[0], max: values[n - 1], runs: n });
});
fs.writeFileSync(`${dir}/../bench-peers.json`,
  `{"node":"${process.version}","commit":"${process.env.COMMIT || ''}","date":"${new Date().toISOString().slice(0, 10)}","rows":[\n${lines.join(',\n')}\n]}\n`);
if (failed.length) {
  console.error(`peers: without figures: ${failed.join(', ')}`);
  process.exitCode = 1;
}
