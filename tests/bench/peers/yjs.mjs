// Yjs: a document a grid, a map a record. Updates of format 2.
import * as Y from 'yjs';
import { version, setKey, unflat } from './lib.mjs';

export const name = 'Yjs';
export const v = version('yjs');

export const grid = {
  open(d) {
    const doc = new Y.Doc();
    doc.clientID = d + 1;
    return { doc, d, records: doc.getMap('r'), sent: Y.encodeStateVector(doc), dirty: false };
  },
  save(r, s) {
    r.dirty = true;
    r.doc.transact(() => {
      if (s.erase) r.records.delete(s.r);
      if (s.fresh) {
        const m = new Y.Map();
        m.set('notes', new Y.Text());
        r.records.set(s.r, m);
      }
      const rec = r.records.get(s.r);
      if (!rec) return;
      for (const o of s.ops) {
        switch (o.op) {
          case 'set': rec.set(o.f, o.v); break;
          case 'add': rec.set(setKey(o.f, o.v), true); break;
          case 'remove': rec.delete(setKey(o.f, o.v)); break;
          case 'inc': {
            const k = `${o.f}/${r.d}`;
            rec.set(k, (rec.get(k) || 0) + o.v);
            break;
          }
          case 'append': { const t = rec.get('notes'); t.insert(t.length, o.v); break; }
          case 'chop': {
            const t = rec.get('notes'), n = Math.min(o.n, t.length);
            if (n) t.delete(t.length - n, n);
          }
        }
      }
    });
  },
  upload(r) {
    if (!r.dirty) return null;
    r.dirty = false;
    return Y.encodeStateAsUpdateV2(r.doc, r.sent);
  },
  live(r, change) { // in the shorter of both formats
    const out = [];
    const on = u => out.push(u);
    r.doc.on('update', on);
    r.doc.on('updateV2', on);
    change();
    return out.sort((a, b) => a.length - b.length)[0];
  },
  synced(r) { r.sent = Y.encodeStateVector(r.doc); },
  take(r, bytes) { Y.applyUpdateV2(r.doc, bytes); },
  full(r) { return Y.encodeStateAsUpdateV2(r.doc); },
  load(bytes) {
    const r = this.open(999);
    Y.applyUpdateV2(r.doc, bytes);
    return r;
  },
  read(r) {
    const shown = new Map();
    for (const [id, rec] of r.records) {
      const flat = {};
      for (const [k, x] of rec) flat[k] = x instanceof Y.Text ? x.toString() : x;
      shown.set(id, unflat(flat));
    }
    return shown;
  },
};

export const text = {
  open(d = 1) {
    const doc = new Y.Doc();
    doc.clientID = d + 1;
    return { doc, t: doc.getText('t') };
  },
  edit(r, [at, cut, ins]) {
    if (cut) r.t.delete(at, cut);
    if (ins) r.t.insert(at, ins);
  },
  together(r, fn) { r.doc.transact(fn); },
  one(r, e) { r.doc.transact(() => this.edit(r, e)); },
  read(r) { return r.t.toString(); },
  full(r) { return Y.encodeStateAsUpdateV2(r.doc); },
  load(bytes) {
    const r = this.open(999);
    Y.applyUpdateV2(r.doc, bytes);
    return r;
  },
  take(r, bytes) { Y.applyUpdateV2(r.doc, bytes); },
  keystrokes(r, edits) { // each transaction's own update
    const out = [];
    const on = u => out.push(u);
    r.doc.on('updateV2', on);
    for (const e of edits) this.one(r, e);
    r.doc.off('updateV2', on);
    return out;
  },
  takeAll(r, updates) {
    r.doc.transact(() => { for (const u of updates) Y.applyUpdateV2(r.doc, u); });
  },
};
