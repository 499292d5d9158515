// The filter: words that a row has, and conditions as `loss<1.7`, `size=small|large`, `status!=diverged`.
// All of them must hold. What has spaces stands in quotes, which are doubled within: `size="my model"|b`.
// Nothing of it is run as code.
const ATOM = '(?:"(?:[^"]|"")*(?:"|$)|[^\\s"<>=!|][^\\s<>=!|]*)';
const TERM = new RegExp(`(${ATOM}?)\\s*(<=|>=|!=|==?|<|>)\\s*((?:${ATOM}(?:\\s*\\|\\s*${ATOM})*)?)|${ATOM}|\\S`, "g");
const ATOMS = new RegExp(ATOM, "g");
const UNITS = { k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12 };

const unquoted = (atom) => (atom[0] === '"' ? atom.slice(1).replace(/"$/, "").replaceAll('""', '"') : atom);
const asAtom = (text) => (text && text.match(ATOMS)?.[0] === text && text[0] !== '"' ? text : `"${text.replaceAll('"', '""')}"`);

// Each with its text; a condition has a name, an operator and values, a word only the word.
const termsOf = (filter) => [...filter.matchAll(TERM)].map(([text, name, operator, wanted]) => (operator === undefined
  ? { text, word: unquoted(text) }
  : { text, name: unquoted(name), operator: operator.replace("==", "="), values: (wanted.match(ATOMS) ?? []).map(unquoted) }));

function numberOf(text) {
  const [, number, unit = ""] = /^([-+]?[\d.,]+(?:e[-+]?\d+)?)([kmbgt]?)$/i.exec(text) ?? [];
  return number === undefined ? NaN : Number(number.replace(/,/g, "")) * (UNITS[unit.toLowerCase()] ?? 1);
}

// Whether a value stands so to another; numbers as numbers, and of text only whether it is the same.
function holds(value, operator, values) {
  if (operator === "=") return values.some((one) => same(value, one));
  if (operator === "!=") return !values.some((one) => same(value, one));
  const [a, b] = [numberOf(value), numberOf(values[0])];
  if (Number.isNaN(a) || Number.isNaN(b)) return false;
  return { "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b }[operator];
}

function same(value, wanted) {
  const [a, b] = [numberOf(value), numberOf(wanted)];
  return Number.isNaN(a) || Number.isNaN(b) ? value.toLowerCase() === wanted.toLowerCase() : a === b;
}

// A test for rows, and what of the text could not be understood.
// `valueOf(row, name)`: as text; `has(name)`: whether there is such a column or setting.
function parsed(text, valueOf, has) {
  const tests = [], problems = [];
  for (const { text: term, word, name, operator, values } of termsOf(text)) {
    if (operator === undefined) {
      tests.push((row) => row.textContent.toLowerCase().includes(word.toLowerCase()));
    } else if (!name || !values.length) {
      problems.push(`${term}: a condition is written as loss<1.7`);
    } else if (!has(name)) {
      problems.push(`${name}: no column or setting is called so`);
    } else if (!"!=".includes(operator) && Number.isNaN(numberOf(values.join("|")))) {
      problems.push(`${term}: ${values.join("|")} is no number`);
    } else {
      tests.push((row) => holds(valueOf(row, name), operator, values));
    }
  }
  return { test: (row) => tests.every((test) => test(row)), problems, isEmpty: !tests.length };
}
