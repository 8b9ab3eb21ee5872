// Loro: a document a grid, a map a record.
import { LoroDoc, LoroMap, LoroText } from 'loro-crdt';
import { version, setKey, unflat } from './lib.mjs';

export const name = 'Loro';
export const v = version('loro-crdt');

export const grid = {
  open(d) {
    const doc = new LoroDoc();
    doc.setPeerId(BigInt(d + 1));
    return { doc, d, records: doc.getMap('r'), sent: doc.version(), dirty: false };
  },
  save(r, s) {
    r.dirty = true;
    if (s.erase) r.records.delete(s.r);
    let rec;
    if (s.fresh) {
      rec = r.records.setContainer(s.r, new LoroMap());
      rec.setContainer('notes', new LoroText());
    } else {
      rec = r.records.get(s.r);
    }
    if (rec) for (const o of s.ops) {
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
    r.doc.commit();
  },
  upload(r) {
    if (!r.dirty) return null;
    r.dirty = false;
    return r.doc.export({ mode: 'update', from: r.sent });
  },
  synced(r) { r.sent = r.doc.version(); },
  take(r, bytes) { r.doc.import(bytes); },
  history(r) { return r.doc.export({ mode: 'snapshot' }); },
  full(r) { return r.doc.export({ mode: 'shallow-snapshot', frontiers: r.doc.frontiers() }); },
  load(bytes) {
    const doc = LoroDoc.fromSnapshot(bytes);
    return { doc, d: 999, records: doc.getMap('r') };
  },
  read(r) {
    const shown = new Map();
    for (const [id, flat] of Object.entries(r.records.toJSON())) shown.set(id, unflat(flat));
    return shown;
  },
};

export const text = {
  open(d = 1) {
    const doc = new LoroDoc();
    doc.setPeerId(BigInt(d + 1));
    return { doc, t: doc.getText('t') };
  },
  edit(r, [at, cut, ins]) {
    if (cut) r.t.delete(at, cut);
    if (ins) r.t.insert(at, ins);
  },
  together(r, fn) { fn(); r.doc.commit(); },
  one(r, e) { this.edit(r, e); r.doc.commit(); },
  read(r) { return r.t.toString(); },
  history(r) { return r.doc.export({ mode: 'snapshot' }); },
  full(r) { return r.doc.export({ mode: 'shallow-snapshot', frontiers: r.doc.frontiers() }); },
  load(bytes) {
    const doc = LoroDoc.fromSnapshot(bytes);
    return { doc, t: doc.getText('t') };
  },
  merge(r) { return r.doc.export({ mode: 'update' }); },
  take(r, bytes) { r.doc.import(bytes); },
  keystrokes(r, edits) {
    const out = [], stop = r.doc.subscribeLocalUpdates(u => out.push(u));
    for (const e of edits) this.one(r, e);
    stop();
    return out;
  },
  takeAll(r, updates) { r.doc.importBatch(updates); },
};
