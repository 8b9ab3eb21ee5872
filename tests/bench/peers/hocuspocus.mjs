// Hocuspocus with SQLite (the upsert of its own SQLite extension): a Yjs document a grid, a map
// a record. It acknowledges from memory and stores some seconds later.
import https from 'node:https';
import { createHash } from 'node:crypto';
import * as Y from 'yjs';
import { WebSocket, WebSocketServer } from 'ws';
import SQLite from 'libsql';
import { Hocuspocus } from '@hocuspocus/server';
import { Database } from '@hocuspocus/extension-database';
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { check, version } from './lib.mjs';

export const name = 'Hocuspocus';
export const v = version('@hocuspocus/server');

const canon = doc => {
  const h = createHash('sha256'), records = doc.getMap('r');
  for (const id of [...records.keys()].sort()) {
    const rec = records.get(id);
    h.update(JSON.stringify([id, [...rec.keys()].sort().map(k => [k, rec.get(k)])]));
  }
  return h.digest('hex');
};

export const hub = async (dir, tls) => {
  const db = new SQLite(`${dir}/hub.db`);
  db.pragma('journal_mode = WAL');
  db.exec(`CREATE TABLE documents (name varchar(255) NOT NULL, data blob NOT NULL, UNIQUE(name))`);
  const get = db.prepare('SELECT data FROM documents WHERE name = ?');
  const set = db.prepare(`INSERT INTO documents (name, data) VALUES (?, ?)
    ON CONFLICT(name) DO UPDATE SET data = excluded.data`);
  const server = new Hocuspocus({
    quiet: true,
    extensions: [new Database({
      fetch: async ({ documentName }) => get.get(documentName)?.data ?? null,
      store: async ({ documentName, state }) => { set.run(documentName, state); },
    })],
  });
  const listener = https.createServer(tls), sockets = new WebSocketServer({ server: listener });
  sockets.on('connection', (ws, request) => server.handleConnection(ws, request));
  await new Promise(yes => { listener.listen(0, '127.0.0.1', yes); });
  const idle = () => [...server.documents.keys()].every(n =>
    !server.debouncer.isDebounced(`onStoreDocument-${n}`) &&
    !server.debouncer.isCurrentlyExecuting(`onStoreDocument-${n}`));
  return {
    port: listener.address().port,
    async stored() { while (!idle()) await new Promise(yes => { setTimeout(yes, 20); }); },
    async shown(g) {
      const doc = new Y.Doc();
      Y.applyUpdate(doc, get.get(`grid${g}`).data);
      return canon(doc);
    },
  };
};

const socketOf = d => d.socket.webSocket._socket;

export class Grid {
  constructor(number, port, n, base, edits) {
    Object.assign(this, { number, port, base_: base, edits });
    this.devices = Array.from({ length: n }, (_, i) => {
      const doc = new Y.Doc();
      doc.clientID = number * n + i + 1;
      return { doc };
    });
  }
  // A connection over which nothing of Yjs has gone; `join` begins.
  async open(d) {
    await new Promise(yes => {
      d.socket = new HocuspocusProviderWebsocket({
        url: `wss://localhost:${this.port}`, WebSocketPolyfill: WebSocket, onOpen: yes,
      });
    });
    d.from = { up: socketOf(d).bytesWritten, down: socketOf(d).bytesRead };
  }
  async join(d) {
    await new Promise(yes => {
      d.provider = new HocuspocusProvider({
        websocketProvider: d.socket, name: `grid${this.number}`, document: d.doc, awareness: null,
        onSynced: yes,
      });
      d.provider.attach();
    });
    while (d.provider.hasUnsyncedChanges) await new Promise(yes => { setTimeout(yes, 1); });
  }
  counted(d) {
    return { up: socketOf(d).bytesWritten - d.from.up, down: socketOf(d).bytesRead - d.from.down };
  }
  close(d) {
    d.provider.destroy();
    d.socket.destroy();
  }
  async base() {
    const [first, ...others] = this.devices;
    first.doc.transact(() => {
      const records = first.doc.getMap('r');
      for (const [id, fields] of this.base_) records.set(id, new Y.Map(Object.entries(fields)));
    });
    await this.open(first);
    await this.join(first);
    this.close(first);
    if (this.edits(0).length)
      for (const d of others) Y.applyUpdateV2(d.doc, Y.encodeStateAsUpdateV2(first.doc));
  }
  async edit() {
    this.devices.forEach((d, i) => {
      const records = d.doc.getMap('r');
      for (const [id, fields] of this.edits(i))
        d.doc.transact(() => {
          for (const [f, value] of Object.entries(fields)) records.get(id).set(f, value);
        });
    });
  }
  async connect() { for (const d of this.devices) await this.open(d); }
  async rush() {
    const want = new Map(this.devices.map(d => [d.doc.clientID, Y.getState(d.doc.store, d.doc.clientID)]));
    const holds = d => [...want].every(([id, clock]) => Y.getState(d.doc.store, id) >= clock);
    const whole = Promise.all(this.devices.map(d => new Promise(yes => {
      if (holds(d)) return yes();
      d.doc.on('update', () => { if (holds(d)) yes(); });
    })));
    await Promise.all(this.devices.map(d => this.join(d)));
    await whole;
  }
  async bytes() {
    return this.devices.map(d => this.counted(d))
      .reduce((a, b) => ({ up: a.up + b.up, down: a.down + b.down }));
  }
  async leave() { for (const d of this.devices) this.close(d); }
  async shown() {
    const all = this.devices.map(d => canon(d.doc)), records = this.devices[0].doc.getMap('r');
    check(all.every(c => c === all[0]), `${name}: replicas of grid ${this.number} differ`);
    this.devices.forEach((_, i) => this.edits(i).forEach(([id, fields]) => {
      for (const [f, value] of Object.entries(fields))
        if (f.startsWith('dev') || 'remark' in fields) // of this device alone
          check(records.get(id).get(f) === value, `${name}: ${id} ${f} is lost`);
    }));
    return all[0];
  }
  async nothing() {
    const sum = { up: 0, down: 0 };
    for (const d of this.devices) {
      await this.open(d);
      await this.join(d);
      const c = this.counted(d);
      sum.up += c.up;
      sum.down += c.down;
      this.close(d);
    }
    return sum;
  }
  async fresh(i) {
    const d = this.devices[i];
    await this.open(d);
    await this.join(d);
    check(canon(d.doc) === canon(this.devices[0].doc), `${name}: a bootstrap differs`);
    return this.counted(d);
  }
}
