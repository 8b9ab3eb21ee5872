#!/usr/bin/env node
// The Swift layer as far as it can be looked at without a Swift compiler: it is good syntax
// (tree-sitter), every qm_ function that it calls is in the header and has as many arguments there,
// every function of the header is bound, every member and constant exists. TAP.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const modules = path.resolve(process.env.BUILD ?? 'build', 'apple/node_modules');
const Parser = require(path.join(modules, 'web-tree-sitter'));
const folder = 'adapters/apple/Sources/Qianmo';
// Its own transport is not bound in Swift yet; the others are of C programs alone.
const NOT_BOUND = ['qm_abi', 'qm_str', 'qm_err_text', 'qm_columns', 'qm_schema_pack',
  'qm_schema_compare', 'qm_sync', 'qm_link_open', 'qm_link_feed', 'qm_link_take', 'qm_link_wait',
  'qm_link_over', 'qm_link_close'];

let count = 0, failed = 0;
function check(problems, name) {
  count++;
  if (problems.length) failed++;
  console.log(`${problems.length ? 'not ok' : 'ok'} ${count} - ${name}`);
  for (const p of problems) console.log('# ' + p);
}

// name => number of parameters; members and constants that there are.
function header() {
  const functions = new Map(), names = new Set();
  const ast = JSON.parse(execFileSync('clang', ['-x', 'c', '-std=c11', '-I.', '-fsyntax-only',
    '-Xclang', '-ast-dump=json', 'core/qianmo.h'], { maxBuffer: 1 << 28 }).toString());
  const walk = (node) => {
    if (node.kind === 'FunctionDecl' && /^qm_/.test(node.name ?? ''))
      functions.set(node.name, (node.inner ?? []).filter((x) => x.kind === 'ParmVarDecl').length);
    if (['FieldDecl', 'EnumConstantDecl', 'TypedefDecl', 'FunctionDecl'].includes(node.kind))
      names.add(node.name);
    (node.inner ?? []).forEach(walk);
  };
  walk(ast);
  return { functions, names };
}

function nodes(root, type) {
  const found = [];
  const walk = (n) => {
    if (n.type === type) found.push(n);
    n.children.forEach(walk);
  };
  walk(root);
  return found;
}

function calls(tree) {
  return nodes(tree.rootNode, 'call_expression').map((call) => {
    const suffix = call.children.find((x) => x.type === 'call_suffix');
    const values = suffix && suffix.children.find((x) => x.type === 'value_arguments');
    return { name: call.children[0].text, line: call.startPosition.row + 1,
      n: values ? values.children.filter((x) => x.type === 'value_argument').length : 0 };
  }).filter((c) => /^qm_[a-z_]+$/.test(c.name));
}

async function main() {
  await Parser.init();
  const parser = new Parser();
  parser.setLanguage(await Parser.Language.load(
    path.join(modules, 'tree-sitter-wasms/out/tree-sitter-swift.wasm')));
  check(parser.parse('class {').rootNode.hasError() ? [] : ['it sees none'], 'a mistake is seen');
  const { functions, names } = header();
  const all = [];
  for (const file of [...fs.readdirSync(folder).filter((x) => x.endsWith('.swift')).map((x) => `${folder}/${x}`),
    'adapters/apple/Package.swift']) {
    const text = fs.readFileSync(file, 'utf8');
    const tree = parser.parse(text);
    const errors = nodes(tree.rootNode, 'ERROR').map((n) => `line ${n.startPosition.row + 1}: ${n.text.slice(0, 60)}`);
    check(tree.rootNode.hasError() && !errors.length ? ['something is missing'] : errors, `${file} is good syntax`);
    const unknown = [...new Set(text.replace(/\/\/.*/g, '').match(/\b(?:qm_|QM_)\w+/g) ?? [])].filter((x) => !names.has(x));
    check(unknown, `${file} names what the header has`);
    const wrong = calls(tree).filter((c) => functions.has(c.name) && functions.get(c.name) !== c.n);
    check(wrong.map((c) => `line ${c.line}: ${c.name} takes ${functions.get(c.name)}, not ${c.n}`),
      `${file} gives as many arguments`);
    all.push(text);
  }
  const used = new Set(all.join('\n').match(/\bqm_\w+/g));
  check([...functions.keys()].filter((x) => !/^qm_(slice_of|options_init|fail)$/.test(x)
    && used.has(x) === NOT_BOUND.includes(x)), 'bound are all functions but those that are said not to be');
  console.log(`1..${count}`);
  process.exitCode = failed ? 1 : 0;
}

main();
