#!/usr/bin/env node
// Runs fixtures/api/calls.json through adapters/node/qianmo.js, and one round of two phones with a
// real hub: offline, edit, sync, review. TAP. All names invented.
'use strict';

const fs = require('node:fs');
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

async function round(directory) {
  const hubPath = path.join(directory, 'hub');
  const hub = (...args) => execFileSync(BUILD + '/qianmod', args, { stdio: 'pipe' }).toString();
  hub('init', hubPath, '--name', 'Stone Bridge', '--listen', '127.0.0.1:0');
  hub('space', 'add', hubPath, 'grid', '--schema', 'fixtures/schemas/plain.json');
  const process_ = spawn(BUILD + '/qianmod', ['run', hubPath], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const line = await new Promise((done) => process_.stdout.once('data', done));
    const port = Number(line.toString().trim().split('\n')[0].split(':').pop());
    const phones = ['East', 'West'].map((who) => {
      const db = new qianmo.Database(path.join(directory, who + '.db'), qianmo.CREATE);
      const out = hub('--json', 'enroll', hubPath, '--member', who, '--role', 'grid', '--space', 'grid');
      db.enroll(`127.0.0.1:${port}`, /"code":"([^"]*)"/.exec(out)[1], '');
      return db;
    });
    const [east, west] = phones;
    await east.sync();
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
    for (const db of [east, west, east]) await db.sync();
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
    for (const db of phones) db.close();
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
