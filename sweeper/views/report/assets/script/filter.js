// The filter: words that a row has, and conditions as `loss<1.7`, `size=small|large`, `status!=diverged`.
// All of them must hold. Nothing of it is run as code.
const OPERATORS = /(<=|>=|!=|<|>|=)/;
const UNITS = { k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12 };

const termsOf = (text) => text.replace(/\s*(<=|>=|!=|==|=|<|>)\s*/g, "$1").replace(/==/g, "=").split(/\s+/).filter(Boolean);

const nameOf = (term) => term.split(OPERATORS)[0];

function numberOf(text) {
  const [, number, unit = ""] = /^([-+]?[\d.,]+(?:e[-+]?\d+)?)([kmbgt]?)$/i.exec(text) ?? [];
  return number === undefined ? NaN : Number(number.replace(/,/g, "")) * (UNITS[unit.toLowerCase()] ?? 1);
}

// Whether a value stands so to another; numbers as numbers, and of text only whether it is the same.
function holds(value, operator, wanted) {
  if (operator === "=") return wanted.split("|").some((one) => same(value, one));
  if (operator === "!=") return !wanted.split("|").some((one) => same(value, one));
  const [a, b] = [numberOf(value), numberOf(wanted)];
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
  for (const term of termsOf(text)) {
    const [name, operator, ...rest] = term.split(OPERATORS);
    const wanted = rest.join("");
    if (operator === undefined) {
      tests.push((row) => row.textContent.toLowerCase().includes(term.toLowerCase()));
    } else if (!name || !wanted) {
      problems.push(`${term}: a condition is written as loss<1.7`);
    } else if (!has(name)) {
      problems.push(`${name}: no column or setting is called so`);
    } else if (!"!=".includes(operator) && Number.isNaN(numberOf(wanted))) {
      problems.push(`${term}: ${wanted} is no number`);
    } else {
      tests.push((row) => holds(valueOf(row, name), operator, wanted));
    }
  }
  return { test: (row) => tests.every((test) => test(row)), problems, isEmpty: !tests.length };
}
