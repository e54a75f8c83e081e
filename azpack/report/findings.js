// Findings, together where they are of one rule and severity.

const SHOWN_AT_FIRST = 10;

function showFindings() {
  const total = Object.keys(SEVERITIES).reduce((sum, severity) => sum + DATA.counts[severity], 0);
  head("findings", total, DATA.findings.length);
  if (!total) at("findings").append(makeNote("Nothing was found."));
  const groups = new Map();
  for (const finding of DATA.findings) {
    const key = `${finding.severity} ${finding.code}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  at("findings").append(...[...groups.values()].map(makeGroup));
}

function makeGroup(findings) {
  const [{ code, severity }] = findings;
  const rule = DATA.rules[code];
  const hint = findings.every((finding) => finding.hint === findings[0].hint)
    ? findings[0].hint
    : null;
  const items = findings.map((finding, index) => {
    const isElsewhere = !index || placeOf(finding) !== placeOf(findings[index - 1]);
    return makeFinding(finding, { isElsewhere, hasOwnHint: finding.hint !== hint });
  });
  const title = make(
    "h3",
    {},
    make("span", { className: "severity" }, SEVERITIES[severity]),
    `${code}: ${rule.title}`,
  );
  const group = make(
    "article",
    { className: `rule ${severity}` },
    title,
    make("ul", {}, ...items.slice(0, SHOWN_AT_FIRST)),
  );
  const more = items.slice(SHOWN_AT_FIRST);
  if (more.length) {
    group.append(
      make(
        "details",
        {},
        make("summary", {}, `${more.length.toLocaleString("en")} more`),
        make("ul", {}, ...more),
      ),
    );
  }
  if (hint) group.append(makeHint(hint));
  const where = make(
    "p",
    {},
    "See ",
    make("code", {}, `docs/rules.md#${code.toLowerCase()}`),
    " or ",
    make("code", {}, `azpack check --explain ${code}`),
    ".",
  );
  group.append(
    make(
      "details",
      { className: "why" },
      make("summary", {}, "Why, and what to do"),
      make("p", {}, rule.text),
      make("p", {}, rule.mend),
      where,
    ),
  );
  return group;
}

function makeHint(hint) {
  return make("p", { className: "hint" }, `Hint: ${hint}`);
}

function placeOf({ path, line }) {
  return line ? `${path}:${line}` : (path ?? "");
}

function makeFinding(finding, { isElsewhere, hasOwnHint }) {
  const item = make("li", { className: isElsewhere ? "elsewhere" : "" });
  if (isElsewhere && finding.path)
    item.append(make("div", { className: "path" }, placeOf(finding)));
  item.append(make("p", {}, finding.message));
  if (finding.hint && hasOwnHint) item.append(makeHint(finding.hint));
  return item;
}
