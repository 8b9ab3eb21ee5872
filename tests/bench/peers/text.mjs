// One peer on the traces of typing: node text.mjs PEER RUNS
import * as lib from './lib.mjs';

const [which, runs = '3'] = process.argv.slice(2);
const peer = await import(`./${which}.mjs`), t = peer.text;
const put = (id, unit, value) => lib.row(peer.name, peer.v, id, unit, value);
const timed = fn => {
  const from = lib.cpu(), out = fn();
  return [lib.cpu() - from, out];
};

const paper = () => {
  const { edits, end } = lib.typing('automerge-paper.json.gz');
  const right = (r, what) => lib.check(t.read(r) === end, `${peer.name}: ${what} ends elsewhere`);
  const r = t.open();
  const [took] = timed(() => t.together(r, () => { for (const e of edits) t.edit(r, e); }));
  right(r, 'typing');
  put('text.local', 'edits/s', edits.length / took);
  const state = t.full(r), whole = t.history ? t.history(r) : state;
  put('text.state', 'B', state.length);
  lib.zipped(peer, 'text.state', 'B', lib.packed(state));
  if (t.history) {
    put('text.history', 'B', whole.length);
    lib.zipped(peer, 'text.history', 'B', lib.packed(whole));
  }
  {
    const one = t.open();
    const [s] = timed(() => { for (const e of edits) t.one(one, e); });
    right(one, 'typing one by one');
    put('text.local.each', 'edits/s', edits.length / s);
  }
  for (let i = 0; i < 2; i++) {
    const [s, [x, shown]] = timed(() => {
      const x = t.load(state), shown = t.read(x);
      t.one(x, [1000, 0, 'x']);
      return [x, shown];
    });
    lib.check(shown === end && t.read(x).length === end.length + 1, 'load');
    put('text.load', 'ms', s * 1e3);
    const empty = t.open(5);
    const [m, merged] = timed(() => { t.take(empty, whole); return t.read(empty); });
    lib.check(merged === end, `${peer.name}: a merge ends elsewhere`);
    put('text.merge', 'ms', m * 1e3);
  }
  const updates = t.keystrokes(t.open(), edits), to = t.open(6);
  const [s] = timed(() => t.takeAll(to, updates));
  right(to, 'keystrokes');
  put('text.keystrokes', '1/s', edits.length / s);
};

// Each author types on a replica that has seen exactly what the trace says he had.
const together = name => {
  const { txns, end } = lib.typing(`${name}.json.gz`);
  const replicas = new Map(), seen = new Map(), out = [];
  const bring = (a, i) => { // transaction i and all before it
    const todo = [i], need = [];
    while (todo.length) {
      const k = todo.pop();
      if (seen.get(a).has(k)) continue;
      seen.get(a).add(k);
      need.push(k);
      todo.push(...txns[k].parents);
    }
    need.sort((x, y) => x - y);
    if (need.length) t.takeAll(replicas.get(a), need.flatMap(k => out[k]));
  };
  txns.forEach((x, i) => {
    if (!replicas.has(x.agent)) {
      replicas.set(x.agent, t.open(x.agent + 1));
      seen.set(x.agent, new Set());
    }
    for (const p of x.parents) bring(x.agent, p);
    seen.get(x.agent).add(i);
    out[i] = t.keystrokes(replicas.get(x.agent), x.patches);
  });
  const hub = t.open(77);
  t.takeAll(hub, out.flat());
  lib.check(t.read(hub) === end, `${peer.name}: ${name} ends elsewhere`);
  const whole = t.whole ? t.whole(hub, out.flat()) : t.history ? t.history(hub) : t.full(hub);
  for (let i = 0; i < +runs; i++) {
    const empty = t.open(78);
    const [s, merged] = timed(() => { t.take(empty, whole); return t.read(empty); });
    lib.check(merged === end, `${peer.name}: ${name} merges elsewhere`);
    put(`text.${name}`, 'ms', s * 1e3);
  }
};

for (let i = 0; i < +runs; i++) paper();
for (const name of ['friendsforever', 'clownschool']) together(name);
