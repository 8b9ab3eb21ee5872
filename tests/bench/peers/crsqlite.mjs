// cr-sqlite (WASM, in memory: in Node it has no file) on the trace of form saves: a table a
// collection, a column a field; elements of sets and devices' parts of counters are rows of their
// own, so that concurrent ones do not overwrite each other. node crsqlite.mjs RUNS
import fs from 'node:fs';
import * as lib from './lib.mjs';

for (const name of ['window', 'self']) globalThis[name] ??= globalThis;
globalThis.document ??= { currentScript: null };
globalThis.location ??= { href: 'http://localhost/' };
const wasm = fs.readFileSync(new URL('node_modules/@vlcn.io/crsqlite-wasm/dist/crsqlite.wasm', import.meta.url));
const sqlite = await (await import('@vlcn.io/crsqlite-wasm')).default(
  () => `data:application/wasm;base64,${wasm.toString('base64')}`);

const runs = +(process.argv[2] || 3), v = lib.version('@vlcn.io/crsqlite-wasm');
const trace = lib.village('village-grid-seed1.jsonl.gz');
const columns = new Map();
for (const s of trace.steps) {
  if (s.sync !== undefined) continue;
  if (!columns.has(s.c)) columns.set(s.c, new Set(['notes']));
  for (const o of s.ops) if (o.op === 'set') columns.get(s.c).add(o.f);
}
const q = s => `"${s}"`;
const tables = ['element', 'part', ...columns.keys()];
const COLUMNS = '"table",pk,cid,val,col_version,db_version,site_id,cl,seq';

const open = async d => {
  const db = await sqlite.open();
  for (const [c, fields] of columns)
    await db.exec(`CREATE TABLE ${q(c)}(id PRIMARY KEY NOT NULL, ${[...fields].map(q)})`);
  await db.exec('CREATE TABLE element(id PRIMARY KEY NOT NULL, there)');
  await db.exec('CREATE TABLE part(id PRIMARY KEY NOT NULL, total)');
  for (const t of tables) await db.exec(`SELECT crsql_as_crr('${t}')`);
  const cache = new Map();
  const run = async (sql, ...args) => {
    if (!cache.has(sql)) cache.set(sql, await db.prepare(sql));
    return cache.get(sql).run(null, ...args);
  };
  return { db, d, run, sent: 0, got: 0, site: (await db.execA('SELECT crsql_site_id()'))[0][0] };
};

const save = async (r, s) => {
  await r.run('BEGIN');
  if (s.erase) await r.run(`DELETE FROM ${q(s.c)} WHERE id=?`, s.r);
  const put = new Map();
  for (const o of s.ops) {
    if (o.op === 'set') put.set(o.f, typeof o.v === 'boolean' ? +o.v : o.v);
    else if (o.op === 'add')
      await r.run('INSERT INTO element VALUES(?,1) ON CONFLICT DO UPDATE SET there=1', `${s.r}/${lib.setKey(o.f, o.v)}`);
    else if (o.op === 'remove') await r.run('DELETE FROM element WHERE id=?', `${s.r}/${lib.setKey(o.f, o.v)}`);
    else if (o.op === 'inc')
      await r.run('INSERT INTO part VALUES(?1,?2) ON CONFLICT DO UPDATE SET total=total+?2', `${s.r}/${o.f}/${r.d}`, o.v);
  }
  const fields = [...put.keys()].map(q);
  if (s.fresh)
    await r.run(`INSERT INTO ${q(s.c)}(${['id', ...fields]}) VALUES(${['?', ...fields.map(() => '?')]})`, s.r, ...put.values());
  else if (put.size)
    await r.run(`UPDATE ${q(s.c)} SET ${fields.map(f => `${f}=?`)} WHERE id=?`, ...put.values(), s.r);
  for (const o of s.ops) {
    if (o.op === 'append') await r.run(`UPDATE ${q(s.c)} SET notes=coalesce(notes,'')||? WHERE id=?`, o.v, s.r);
    else if (o.op === 'chop')
      await r.run(`UPDATE ${q(s.c)} SET notes=substr(notes,1,max(0,length(notes)-?)) WHERE id=?`, o.n, s.r);
  }
  await r.run('COMMIT');
};

const take = async (r, changes) => {
  await r.run('BEGIN');
  for (const c of changes) await r.run(`INSERT INTO crsql_changes(${COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?)`, ...c);
  await r.run('COMMIT');
};
const version = async r => (await r.db.execA('SELECT crsql_db_version()'))[0][0];
const after = (r, from, own, site) =>
  r.db.execA(`SELECT ${COLUMNS} FROM crsql_changes WHERE db_version>? AND site_id${own ? '=' : '<>'}?`, [from, site]);

const shown = async r => {
  const out = [];
  for (const t of tables) out.push(await r.db.execA(`SELECT * FROM ${q(t)} ORDER BY id`));
  lib.check(out.flat().length > 10000, 'cr-sqlite: too few rows');
  return JSON.stringify(out);
};

for (let i = 0; i < runs; i++) {
  const hub = await open(100), devices = [], uploads = [];
  for (let d = 0; d < trace.devices; d++) devices.push(await open(d));
  let local = 0;
  for (const s of trace.steps) {
    if (s.sync === undefined) {
      const from = lib.cpu();
      await save(devices[s.d], s);
      local += lib.cpu() - from;
      continue;
    }
    const r = devices[s.sync], up = await after(r, r.sent, true, r.site);
    if (up.length) {
      uploads.push(up);
      await take(hub, up);
    }
    const down = await after(hub, r.got, false, r.site);
    if (down.length) await take(r, down);
    r.sent = await version(r);
    r.got = await version(hub);
  }
  const want = await shown(hub);
  for (const r of devices) lib.check(await shown(r) === want, `cr-sqlite: device ${r.d} differs`);
  const again = await open(101), from = lib.cpu();
  for (const u of uploads) await take(again, u);
  const merged = lib.cpu() - from;
  lib.check(await shown(again) === want, 'cr-sqlite: merge');
  lib.row('cr-sqlite (WASM, memory)', v, 'grid.local_sqlite_normal', 'ops/s', trace.ops / local);
  lib.row('cr-sqlite (WASM, memory)', v, 'grid.hub_sqlite.cpu', 'us/op', merged / trace.ops * 1e6);
}
process.exit(0);
