#!/usr/bin/env node
// Runs fixtures/api/calls.json through adapters/node/qianmo.js, and one round of two phones with a
// real hub: offline, edit, sync, review. TAP. All names invented.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { execFileSync, spawn } = require('node:child_process');

const BUILD = path.resolve(process.env.BUILD ?? 'build');
const koffi = require(path.join(BUILD, 'node/node_modules/koffi'));
const qianmo = require('../../adapters/node/qianmo.js')(koffi, path.join(BUILD, 'libqianmo.so'));

let count = 0, failed = 0;
function check(problem, name) {
  count++;
  if (problem) failed++;
  console.log(`${problem ? 'not ok' : 'ok'} ${count} - ${name}`);
  if (problem) console.log(`# ${problem}`);
}
const camel = (name) => name.replace(/_(\w)/g, (_, c) => c.toUpperCase());

class Table {
  constructor(directory) {
    const table = JSON.parse(fs.readFileSync('fixtures/api/calls.json', 'utf8'));
    Object.assign(this, { directory, steps: table.steps, schema: JSON.stringify(table.schema) });
    this.saved = {};
  }
  value(v) {
    if (typeof v === 'string' && v.startsWith('$')) return this.saved[v.slice(1)];
    return v === '{schema}' ? this.schema : v;
  }
  async call(name, on, args) {
    if (name === 'open') {
      this.db = new qianmo.Database(path.join(this.directory, args[0]), args[1]);
      return undefined;
    }
    const target = { db: this.db, tx: this.tx }[on] ?? qianmo;
    const result = await target[camel(name)](...args);
    if (name !== 'begin') return result;
    this.tx = result;
    return undefined;
  }
  covers(wanted, got) {
    if (Array.isArray(wanted))
      return Array.isArray(got) && wanted.length === got.length
        && wanted.every((w, i) => this.covers(w, got[i]));
    if (wanted && typeof wanted === 'object')
      return got && typeof got === 'object'
        && Object.entries(wanted).every(([k, v]) => k in got && this.covers(v, got[k]));
    return this.value(wanted) === got;
  }
  async problem(step) {
    let code = 'OK', result, existing;
    try {
      result = await this.call(step.call, step.on, step.args.map((a) => this.value(a)));
    } catch (e) {
      if (!(e instanceof qianmo.QianmoError)) return e.stack;
      code = e.code;
      if (!e.message || !e.text('zh') || e.text('zh') === e.text('en')) return 'it says nothing';
      if (step.class && e.cls !== step.class) return `class ${e.cls}`;
      if (step.explain && !this.covers(step.explain, e.explain()))
        return JSON.stringify(e.explain());
    }
    if (code !== (step.code ?? 'OK')) return `${code} ${result}`;
    if (Array.isArray(result)) [result, existing] = result;
    if (result === undefined || typeof result === 'object') return null;
    const text = String(result);
    if ('existing' in step && existing !== step.existing) return `existing: ${existing}`;
    if ('text' in step && text !== this.value(step.text)) return text;
    let lines = text.split('\n').filter(Boolean);
    if ('lines' in step && lines.length !== step.lines) return `${lines.length} lines: ${text}`;
    if (text.startsWith('{\n')) lines = [text]; // one object, printed for people
    if (step.has && !this.covers(step.has, JSON.parse(lines[0]))) return text;
    if (step.some && !lines.some((line) => this.covers(step.some, JSON.parse(line)))) return text;
    for (const [name, member] of Object.entries(step.save ?? {}))
      this.saved[name] = member ? JSON.parse(lines[0])[member] : text;
    return null;
  }
}

// Sizes and offsets as the compiler has them.
function layout(directory) {
  const names = { slice: 'qm_slice', text: 'qm_text', error: 'qm_error', options: 'qm_options',
    review: 'qm_review_options', run: 'qm_run_options', result: 'qm_sync_result',
    explanation: 'qm_explanation' };
  const wanted = [], source = ['#include <stdio.h>', '#include "core/qianmo.h"', 'int main(void){'];
  for (const [key, name] of Object.entries(names)) {
    const type = qianmo.layout[key];
    wanted.push(`${name} ${koffi.sizeof(type)}`);
    source.push(`printf("${name} %zu\\n", sizeof(${name}));`);
    for (const member of Object.keys(koffi.type(type).members)) {
      wanted.push(`${name}.${member} ${koffi.offsetof(type, member)}`);
      source.push(`printf("${name}.${member} %zu\\n", offsetof(${name}, ${member}));`);
    }
  }
  const file = path.join(directory, 'layout.c');
  fs.writeFileSync(file, [...source, 'return 0;}'].join('\n'));
  const [cc, ...more] = (process.env.CC ?? 'cc').split(' ');
  execFileSync(cc, [...more, '-std=c11', '-I.', '-o', file + '.out', file]);
  const got = execFileSync(file + '.out').toString().trim().split('\n');
  check(wanted.filter((x) => !got.includes(x)).join(', '), 'structs lie as the compiler has them');
}

const refused = (f) => {
  try {
    f();
  } catch (e) {
    return e.code;
  }
  return 'OK';
};

const keeping = (seen) => ({
  keyLoad: () => seen.key,
  keySave(key) { seen.key = key; },
  checkHub(host, chain) { seen.chains.push(chain); },
  log(level, message) { seen.log.push(message); },
  nowMs: () => BigInt(Date.now()),
  random: (n) => crypto.randomBytes(n),
});

// A key that only signs. Node's own functions take no digest, so openssl's program does it.
function signing(seen, directory) {
  const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const file = path.join(directory, 'West.pem');
  fs.writeFileSync(file, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return {
    keyPoint: () => pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-65),
    keySign(digest) {
      seen.signed++;
      return execFileSync('openssl', ['pkeyutl', '-sign', '-inkey', file], { input: digest });
    },
  };
}

// The program's own transport.
async function carry(link, port) {
  const socket = net.connect(port, '127.0.0.1');
  const send = () => {
    for (let data = link.take(); data.length; data = link.take()) socket.write(data);
  };
  send();
  for await (let data of socket) {
    while (data.length) {
      data = data.subarray(link.feed(data));
      send();
    }
    if (link.over()) break;
  }
  socket.destroy();
}

async function round(directory) {
  const hubPath = path.join(directory, 'hub');
  const hub = (...args) => execFileSync(BUILD + '/qianmod', args, { stdio: 'pipe' }).toString();
  hub('init', hubPath, '--name', 'Stone Bridge', '--listen', '127.0.0.1:0');
  hub('space', 'add', hubPath, 'grid', '--schema', 'fixtures/schemas/plain.json');
  const process_ = spawn(BUILD + '/qianmod', ['run', hubPath], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const line = await new Promise((done) => process_.stdout.once('data', done));
    const port = Number(line.toString().trim().split('\n')[0].split(':').pop());
    const seen = { key: null, chains: [], log: [], signed: 0 };
    const hooks = { East: keeping(seen), West: signing(seen, directory) };
    const phones = ['East', 'West'].map((who) => {
      const db = new qianmo.Database(path.join(directory, who + '.db'), qianmo.CREATE, hooks[who]);
      const out = hub('--json', 'enroll', hubPath, '--member', who, '--role', 'grid', '--space', 'grid');
      db.enroll(`127.0.0.1:${port}`, /"code":"([^"]*)"/.exec(out)[1], '');
      return db;
    });
    const [east, west] = phones;
    check(!seen.key || seen.chains[0]?.length !== 2 || !seen.signed,
      'keys lie outside of the databases; the hub\'s certificates were shown');
    const first = east.sync();
    check(refused(() => east.status()) !== 'EBUSY', 'a hook\'s call is not waited for on the same thread');
    await first;
    const status = (db) => JSON.parse(db.recordStatus('grid', 'household', 'key:101')).status;
    east.transaction('grid', (tx) => {
      const [id, existed] = tx.new('household', '101');
      check(existed, 'a record, offline');
      tx.set('household', id, 'head', '王小民 (invented)');
    });
    check(status(east) !== 'local', 'it is local');
    const result = await east.sync(60000);
    check(result.segments_up !== 1 || result.more !== 0, 'sync takes it up');
    check(status(east) !== 'acknowledged', 'it is acknowledged');
    await west.sync();
    for (const [db, number] of [[east, '10000000011'], [west, '10000000022']])
      db.transaction('grid', (tx) => tx.set('household', 'key:101', 'phone', number));
    await east.sync();
    const link = west.link();
    await carry(link, port);
    const carried = link.close();
    check(carried.segments_up !== 1 || carried.segments_down !== 1, 'the other syncs over a transport of its own');
    await east.sync();
    const review = qianmo.lines(east.review('grid', { severity: 1 }));
    check(review.length !== 2 || review[0].values.length !== 2, 'what was written at the same time is listed');
    east.transaction('grid', (tx) => {
      tx.shown(review[0].token);
      tx.settle('household', review[0].id, 'phone', '10000000011');
    });
    for (const db of [east, west]) await db.sync();
    const record = JSON.parse(west.get('grid', 'household', 'key:101'));
    check(record.fields.phone !== '10000000011' || Object.keys(record.conflicts ?? {}).length,
      'settled, and the other sees it');
    const inbox = qianmo.lines(west.inbox('', qianmo.UNREAD));
    check(inbox[0].reason !== 'settled', 'and is told of it');
    const digests = phones.map((db) => JSON.parse(db.status()).spaces[0].digest);
    check(digests[0] !== digests[1], 'both hold the same');
    const left = west.link(), open = west.begin('grid');
    for (const db of phones) db.close();
    check(refused(() => open.commit()) !== 'ESTATE' || refused(() => left.take()) !== 'ESTATE',
      'a transaction and a link end with their database');
    open.cancel();
    const key = seen.key;
    seen.key = null;
    const again = () => new qianmo.Database(path.join(directory, 'East.db'), 0, hooks.East);
    check(refused(again) !== 'EACCESS', 'it does not open without its key');
    check(refused(() => new qianmo.Database(path.join(directory, 'East.db'), 0,
      { keyLoad() { throw new Error('locked'); }, keySave() {} })) !== 'EIO', 'a hook that throws is an error');
    check(refused(() => new qianmo.Database(path.join(directory, 'East.db'), 0,
      { keyLoad() { throw new qianmo.QianmoError(-46); }, keySave() {} })) !== 'EACCESS', 'or its own');
    seen.key = key;
    again().close();
    check(seen.log.filter((m) => m.includes('王') || m.includes('10000000')).join(), 'no personal value is logged');
  } finally {
    process_.kill();
    await new Promise((done) => process_.once('exit', done));
  }
}

async function main() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'qianmo-node-'));
  try {
    layout(directory);
    const table = new Table(directory);
    for (const step of table.steps) {
      const args = JSON.stringify(step.args).slice(0, 60).replace(/#/g, '');
      check(await table.problem(step), `${step.call} ${args}${step.code ? ' -> ' + step.code : ''}`);
    }
    await round(directory);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
  console.log(`1..${count}`);
  process.exitCode = failed ? 1 : 0;
}

main();
