// PouchDB on devices (in memory), express-pouchdb with LevelDB on the hub: a document a record,
// a database a grid. Two edits of one record are two revisions of which one is shown; the other
// stays as a conflict, which is counted as kept.
import https from 'node:https';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import express from 'express';
import { check, version } from './lib.mjs';

const require = createRequire(import.meta.url);
const PouchDB = require('pouchdb').plugin(require('pouchdb-adapter-memory'));

export const name = 'express-pouchdb';
export const v = version('express-pouchdb');

// What is shown, and the revisions that were not chosen.
const canon = async db => {
  const { rows } = await db.allDocs({ include_docs: true, conflicts: true });
  const h = createHash('sha256');
  for (const { id, doc } of rows) {
    const { _id, _conflicts, ...rest } = doc;
    h.update(JSON.stringify([id, Object.entries(rest).sort(), (_conflicts || []).sort()]));
  }
  return h.digest('hex');
};

export const hub = async (dir, tls) => {
  const OnDisk = PouchDB.defaults({ prefix: `${dir}/` }), app = express();
  app.use(require('express-pouchdb')(OnDisk, { mode: 'minimumForPouchDB', inMemoryConfig: true }));
  const listener = https.createServer(tls, app);
  await new Promise(yes => { listener.listen(0, '127.0.0.1', yes); });
  return {
    port: listener.address().port,
    async stored() {}, // stored before it is acknowledged
    shown: g => canon(new OnDisk(`grid${g}`)),
  };
};

const BATCH = { batch_size: 1000 };
const PLAIN = { retry: false, ...BATCH };

export class Grid {
  constructor(number, port, n, base, edits) {
    Object.assign(this, { number, port, base_: base, edits });
    this.devices = Array.from({ length: n }, (_, i) => ({
      db: new PouchDB(`g${number}d${i}-${process.pid}`, { adapter: 'memory' }), gone: { up: 0, down: 0 },
    }));
  }
  // Its own sockets, whose bytes before TLS are counted.
  open(d) {
    const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false }), sockets = new Set();
    const create = agent.createConnection.bind(agent);
    agent.createConnection = (...a) => {
      const s = create(...a);
      sockets.add(s);
      return s;
    };
    Object.assign(d, { agent, sockets });
    d.remote = new PouchDB(`https://localhost:${this.port}/grid${this.number}`, {
      fetch: (url, o) => PouchDB.fetch(url, { ...o, agent }),
    });
  }
  counted(d) {
    let up = 0, down = 0;
    for (const s of d.sockets) {
      up += s.bytesWritten;
      down += s.bytesRead;
    }
    return { up, down };
  }
  close(d) { d.agent.destroy(); }
  async base() {
    const [first, ...others] = this.devices;
    await first.db.bulkDocs(this.base_.map(([_id, fields]) => ({ _id, ...fields })));
    this.open(first);
    await first.db.sync(first.remote, PLAIN);
    this.close(first);
    if (!this.edits(0).length) return;
    for (const d of others) {
      this.open(d);
      await d.db.sync(d.remote, PLAIN);
      this.close(d);
    }
  }
  async edit() {
    for (const [i, d] of this.devices.entries())
      for (const [id, fields] of this.edits(i)) await d.db.put({ ...await d.db.get(id), ...fields });
  }
  async connect() { for (const d of this.devices) this.open(d); }
  async rush() { // until each has what the others wrote, and the hub what it wrote itself
    await Promise.all(this.devices.map((d, i) => new Promise((yes, no) => {
      const sum = list => list.reduce((n, k) => n + this.edits(k).length, 0);
      const others = sum([...this.devices.keys()].filter(k => k !== i));
      let pushed = 0, pulled = 0;
      d.live = d.db.sync(d.remote, { live: true, ...BATCH });
      d.live.on('error', no);
      d.live.on('change', ({ direction, change }) => {
        if (direction === 'push') pushed += change.docs.length;
        else pulled += change.docs.length;
        if (pushed >= this.edits(i).length && pulled >= others) yes();
      });
    })));
  }
  async bytes() {
    return this.devices.map(d => this.counted(d))
      .reduce((a, b) => ({ up: a.up + b.up, down: a.down + b.down }));
  }
  async leave() { // the sockets go with the process: a feed may still wait on one
    for (const d of this.devices) d.live.cancel();
  }
  async shown() {
    const all = await Promise.all(this.devices.map(d => canon(d.db)));
    check(all.every(c => c === all[0]), `${name}: replicas of grid ${this.number} differ`);
    for (const [i] of this.devices.entries())
      for (const [id, fields] of this.edits(i)) {
        const doc = await this.devices[0].db.get(id, { conflicts: true });
        const revs = [doc, ...await Promise.all((doc._conflicts || []).map(rev => this.devices[0].db.get(id, { rev })))];
        check(revs.some(r => Object.entries(fields).every(([f, x]) => r[f] === x)), `${name}: ${id} is lost`);
      }
    return all[0];
  }
  async nothing() {
    const sum = { up: 0, down: 0 };
    for (const d of this.devices) {
      this.open(d);
      await d.db.sync(d.remote, PLAIN); // writes its checkpoints
      this.close(d);
      this.open(d);
      await d.db.sync(d.remote, PLAIN);
      const c = this.counted(d);
      sum.up += c.up;
      sum.down += c.down;
      this.close(d);
    }
    return sum;
  }
  async fresh(i) {
    const d = this.devices[i];
    this.open(d);
    await d.db.replicate.from(d.remote, PLAIN);
    check(await canon(d.db) === await canon(this.devices[0].db), `${name}: a bootstrap differs`);
    const c = this.counted(d);
    this.close(d);
    return c;
  }
}
