// json-joy: a model a grid, an object a record. It merges by patches.
import jj from 'json-joy/lib/json-crdt/index.js';
import jp from 'json-joy/lib/json-crdt-patch/index.js';
import { version, setKey, unflat } from './lib.mjs';

const { Model } = jj, { Patch, s } = jp;
export const name = 'json-joy';
export const v = version('json-joy');

const sid = d => 100000 + d;
const join = patches => { // length and bytes of each
  const parts = patches.map(p => p instanceof Uint8Array ? p : p.toBinary());
  const out = new Uint8Array(parts.reduce((n, p) => n + 4 + p.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const p of parts) {
    view.setUint32(at, p.length);
    out.set(p, at + 4);
    at += 4 + p.length;
  }
  return out;
};
const apply = (model, bytes) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    const n = view.getUint32(at);
    model.applyPatch(Patch.fromBinary(bytes.subarray(at + 4, at + 4 + n)));
    at += 4 + n;
  }
};

const base = Model.create(s.obj({ r: s.obj({}) }), 65536 + 1).toBinary();
export const grid = {
  open(d) {
    const model = Model.load(base, sid(d));
    return { model, d, dirty: false };
  },
  save(r, st) {
    r.dirty = true;
    const api = r.model.api, records = api.obj(['r']);
    if (st.erase) records.del([st.r]);
    if (st.fresh) records.set({ [st.r]: s.obj({ notes: s.str('') }) });
    if (!st.fresh && records.get([st.r]).node.name() !== 'obj') return;
    const rec = api.obj(['r', st.r]);
    for (const o of st.ops) {
      switch (o.op) {
        case 'set': rec.set({ [o.f]: s.con(o.v) }); break;
        case 'add': rec.set({ [setKey(o.f, o.v)]: s.con(true) }); break;
        case 'remove': rec.del([setKey(o.f, o.v)]); break;
        case 'inc': {
          const k = `${o.f}/${r.d}`;
          rec.set({ [k]: s.con((rec.has(k) ? rec.get([k]).view() : 0) + o.v) });
          break;
        }
        case 'append': { const t = rec.str(['notes']); t.ins(t.length(), o.v); break; }
        case 'chop': {
          const t = rec.str(['notes']), n = Math.min(o.n, t.length());
          if (n) t.del(t.length() - n, n);
        }
      }
    }
    api.apply();
  },
  upload(r) {
    if (!r.dirty) return null;
    r.dirty = false;
    return join([r.model.api.flush()]);
  },
  synced() {},
  take(r, bytes) { apply(r.model, bytes); },
  full(r) { return r.model.toBinary(); },
  load(bytes) { return { model: Model.fromBinary(bytes), d: 999 }; },
  read(r) {
    const shown = new Map();
    for (const [id, flat] of Object.entries(r.model.view().r))
      if (flat !== undefined) {
        const f = {};
        for (const [k, x] of Object.entries(flat)) if (x !== undefined) f[k] = x;
        shown.set(id, unflat(f));
      }
    return shown;
  },
};

const baseText = Model.create(s.obj({ t: s.str('') }), 65536 + 1).toBinary();
export const text = {
  open(d = 1) {
    const model = Model.load(baseText, sid(d));
    return { model, t: model.api.str(['t']) };
  },
  edit(r, [at, cut, ins]) {
    if (cut) r.t.del(at, cut);
    if (ins) r.t.ins(at, ins);
  },
  together(r, fn) { fn(); r.model.api.apply(); },
  one(r, e) { this.edit(r, e); r.model.api.apply(); },
  read(r) { return r.model.view().t; },
  full(r) { return r.model.toBinary(); },
  load(bytes) {
    const model = Model.fromBinary(bytes);
    return { model, t: model.api.str(['t']) };
  },
  history(r) { return join([r.model.api.flush()]); }, // all edits as one patch
  take(r, bytes) { apply(r.model, bytes); },
  keystrokes(r, edits) {
    return edits.flatMap(e => {
      this.one(r, e);
      const patch = r.model.api.flush();
      return patch.ops.length ? [patch.toBinary()] : [];
    });
  },
  whole(r, patches) { return join(patches); }, // it has no form of a document that merges
  takeAll(r, patches) { for (const p of patches) r.model.applyPatch(Patch.fromBinary(p)); },
};
