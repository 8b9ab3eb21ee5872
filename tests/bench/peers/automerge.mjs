// Automerge: a document a grid, an object a record.
import * as A from '@automerge/automerge';
import { version, setKey, unflat } from './lib.mjs';

export const name = 'Automerge';
export const v = version('@automerge/automerge');

const actor = d => (d + 1).toString(16).padStart(32, '0');
const Str = A.ImmutableString || A.RawString; // a register, no text
const reg = x => typeof x === 'string' ? new Str(x) : x;
const base = A.save(A.change(A.init({ actor: actor(9000) }), { time: 0 }, d => { d.r = {}; }));

export const grid = {
  open(d) {
    const doc = A.load(base, { actor: actor(d) });
    return { doc, d, sent: A.getHeads(doc), dirty: false };
  },
  save(r, s) {
    r.dirty = true;
    r.doc = A.change(r.doc, { time: 0 }, doc => {
      if (s.erase) delete doc.r[s.r];
      if (s.fresh) doc.r[s.r] = { notes: '' };
      const rec = doc.r[s.r];
      if (!rec) return;
      for (const o of s.ops) {
        switch (o.op) {
          case 'set': rec[o.f] = reg(o.v); break;
          case 'add': rec[setKey(o.f, o.v)] = true; break;
          case 'remove': delete rec[setKey(o.f, o.v)]; break;
          case 'inc': {
            const k = `${o.f}/${r.d}`;
            rec[k] = (rec[k] || 0) + o.v;
            break;
          }
          case 'append': A.splice(doc, ['r', s.r, 'notes'], doc.r[s.r].notes.length, 0, o.v); break;
          case 'chop': { // a proxy keeps what it read: asked anew
            const len = doc.r[s.r].notes.length, n = Math.min(o.n, len);
            if (n) A.splice(doc, ['r', s.r, 'notes'], len - n, n);
          }
        }
      }
    });
  },
  upload(r) {
    if (!r.dirty) return null;
    r.dirty = false;
    return A.saveSince(r.doc, r.sent);
  },
  synced(r) { r.sent = A.getHeads(r.doc); },
  take(r, bytes) { r.doc = A.loadIncremental(r.doc, bytes); },
  sync(a, b) { // by its protocol; what is remembered of the session before is `shared`
    let m, up = 0, down = 0, trips = 0;
    let sa = a.shared ? A.decodeSyncState(a.shared) : A.initSyncState();
    let sb = b.shared ? A.decodeSyncState(b.shared) : A.initSyncState();
    for (let quiet = false; !quiet;) {
      quiet = true;
      [sa, m] = A.generateSyncMessage(a.doc, sa);
      if (m) {
        quiet = false;
        up += m.length;
        [b.doc, sb] = A.receiveSyncMessage(b.doc, sb, m);
      }
      [sb, m] = A.generateSyncMessage(b.doc, sb);
      if (m) {
        quiet = false;
        down += m.length;
        [a.doc, sa] = A.receiveSyncMessage(a.doc, sa, m);
      }
      if (!quiet) trips++;
    }
    a.shared = A.encodeSyncState(sa);
    b.shared = A.encodeSyncState(sb);
    return { up, down, trips };
  },
  history(r) { return A.save(r.doc); },
  full(r) { return A.save(r.doc); },
  load(bytes) { return { doc: A.load(bytes), d: 999 }; },
  read(r) {
    const shown = new Map();
    for (const [id, rec] of Object.entries(r.doc.r)) {
      const flat = {};
      for (const [k, x] of Object.entries(rec)) flat[k] = x instanceof Str ? x.toString() : x;
      shown.set(id, unflat(flat));
    }
    return shown;
  },
};

const baseText = A.save(A.change(A.init({ actor: actor(9000) }), { time: 0 }, d => { d.t = ''; }));
export const text = {
  open(d = 1) { return { doc: A.load(baseText, { actor: actor(d) }) }; },
  together(r, fn) {
    r.doc = A.change(r.doc, { time: 0 }, d => { r.draft = d; fn(); });
    r.draft = null;
  },
  edit(r, [at, cut, ins]) { A.splice(r.draft, ['t'], at, cut, ins); },
  one(r, e) { this.together(r, () => this.edit(r, e)); },
  read(r) { return r.doc.t; },
  history(r) { return A.save(r.doc); },
  full(r) { return A.save(r.doc); },
  load(bytes) { return { doc: A.load(bytes) }; },
  take(r, bytes) { r.doc = A.loadIncremental(r.doc, bytes); },
  keystrokes(r, edits) {
    return edits.map(e => {
      this.one(r, e);
      return A.getLastLocalChange(r.doc);
    });
  },
  takeAll(r, changes) { [r.doc] = A.applyChanges(r.doc, changes); },
};
