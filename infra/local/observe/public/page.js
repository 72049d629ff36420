/**
 * Draws the dashboards, and fetches the series of each panel every two seconds. Inserts text as text, never as HTML.
 */
const REFRESH_MS = 2_000;
const HIDDEN_LABELS = ['__name__', 'alertstate', 'job', 'otel_scope_name'];

const byId = (id) => document.getElementById(id);
const minutes = byId('minutes');
const charts = new Map();
let boards = [];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const currentName = () => location.pathname.replace(/^\/d\/holdfast-/, '').replace(/^\//, '') || 'overview';

/** Formats a value in the unit of the panel, one of Grafana's unit names. */
function format(value, unit) {
  if (unit === 'percentunit') return `${round(value * 100)} %`;
  if (unit === 's') return value >= 1 || value === 0 ? `${round(value)} s` : `${round(value * 1_000)} ms`;
  if (unit === 'bytes') {
    const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.abs(value) || 1) / 10)));
    return `${round(value / 1_024 ** power)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
  }
  return unit === 'ops' ? `${round(value)}/s` : round(value);
}

function round(value) {
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 3 });
}

async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

function showNavigation() {
  byId('boards').replaceChildren(
    ...boards.map(({ name, description }) => {
      const link = element('a', { href: `/d/holdfast-${name}`, textContent: name, title: description });
      if (name === currentName()) link.setAttribute('aria-current', 'page');
      return link;
    }),
  );
}

function showBoard(board) {
  for (const chart of charts.values()) chart.dispose?.();
  charts.clear();
  document.title = board.title;
  byId('board').replaceChildren(
    element('p', { textContent: board.description }),
    ...board.rows.flatMap(({ title, panels }) => [
      element('h2', { textContent: title }),
      element('div', { className: 'row' }, ...panels.map(figureOf)),
    ]),
  );
}

/** Turns text between backticks into code elements. */
function withCode(text) {
  return text.split('`').map((part, i) => (i % 2 === 0 ? part : element('code', { textContent: part })));
}

/**
 * Hides series of a large stack that are zero throughout, so that they do not fill the legend. Shows all if all are
 * zero.
 */
function worthShowing({ kind }, series) {
  if (kind !== 'stack' || series.length <= 4) return series;
  const some = series.filter(({ points }) => points.some(([, value]) => value !== 0));
  return some.length > 0 ? some : series;
}

function figureOf(panel) {
  const { title, description, alert, width = 8, height = 8 } = panel;
  const runbook = element('a', { href: `/runbooks/alerts/${alert}.md`, textContent: 'runbook', title: alert });
  const caption = element('figcaption', {}, element('span', { textContent: title }), runbook);
  const figure = element(
    'figure',
    {},
    caption,
    element('p', {}, ...withCode(description)),
    element('div', { className: 'chart' }),
  );
  figure.dataset.panel = title;
  figure.style.gridColumn = `span ${width}`;
  figure.style.height = `${height * 34 + 30}px`;
  return figure;
}

function draw(figure, panel, series) {
  const target = figure.querySelector('.chart');
  const shown = worthShowing(
    panel,
    series.filter(({ points }) => points.length > 0),
  );
  figure.dataset.series = String(shown.length);
  target.className = shown.length === 0 ? 'chart none' : panel.kind === 'value' ? 'chart value' : 'chart';
  if (shown.length === 0) replaceText(target, panel, `No data: ${panel.idle ?? 'not yet'}`);
  else if (panel.kind === 'value') replaceText(target, panel, format(shown[0].points.at(-1)[1], panel.unit));
  else if (panel.kind === 'table') target.replaceChildren(tableOf(shown));
  else drawLines(target, panel, shown);
}

function replaceText(target, panel, text) {
  charts.get(panel.title)?.dispose();
  charts.delete(panel.title);
  target.textContent = text;
}

function tableOf(series) {
  const columns = [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))].filter(
    (label) => !HIDDEN_LABELS.includes(label),
  );
  const cells = (kind, texts) => element('tr', {}, ...texts.map((textContent) => element(kind, { textContent })));
  return element(
    'table',
    {},
    cells('th', columns),
    ...series.map(({ labels }) =>
      cells(
        'td',
        columns.map((label) => labels[label] ?? ''),
      ),
    ),
  );
}

function drawLines(target, panel, series) {
  if (!charts.has(panel.title)) {
    target.textContent = '';
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    charts.set(panel.title, echarts.init(target, dark ? 'dark' : null, { renderer: 'svg' }));
  }
  const now = Date.now();
  charts.get(panel.title).setOption(
    {
      animation: false,
      backgroundColor: 'transparent',
      grid: { left: 4, right: 12, top: 8, bottom: 30, containLabel: true },
      legend: { bottom: 0, type: 'scroll', itemHeight: 8, icon: 'roundRect' },
      tooltip: { trigger: 'axis', valueFormatter: (value) => (value === undefined ? '' : format(value, panel.unit)) },
      xAxis: { type: 'time', min: now - Number(minutes.value) * 60_000, max: now },
      yAxis: {
        type: 'value',
        min: panel.min,
        max: panel.max,
        axisLabel: { formatter: (value) => format(value, panel.unit) },
      },
      series: series.map(({ name, points }) => ({
        name,
        type: 'line',
        data: points,
        showSymbol: points.length === 1,
        lineStyle: { width: 1.5 },
        ...(panel.kind === 'stack' && { stack: 'all', areaStyle: { opacity: 0.35 } }),
      })),
    },
    { notMerge: true },
  );
}

async function refreshPanels() {
  const board = boards.find(({ name }) => name === currentName());
  if (!board) return;
  await Promise.all(
    board.rows
      .flatMap(({ panels }) => panels)
      .map(async (panel) => {
        const query = new URLSearchParams({ board: board.name, panel: panel.title, minutes: minutes.value });
        const figure = document.querySelector(`figure[data-panel="${CSS.escape(panel.title)}"]`);
        draw(figure, panel, await get(`/api/panel?${query}`));
      }),
  );
}

async function refreshAlerts() {
  const alerts = (await get('/api/alerts')).filter(({ name }) => name !== 'Watchdog');
  byId('alerts').replaceChildren(
    ...(alerts.length === 0
      ? [element('span', { className: 'alert', textContent: 'No alert fires.' })]
      : alerts.map(alertOf)),
  );
}

function alertOf({ name, state, labels, annotations }) {
  const link = element('a', { href: annotations.runbook_url ?? '#', textContent: name });
  const text = ` ${state === 'firing' ? '' : '(pending) '}${annotations.summary ?? ''}`;
  return element('span', { className: `alert ${labels.severity}` }, link, text);
}

async function refresh() {
  try {
    await Promise.all([refreshPanels(), refreshAlerts()]);
    document.body.dataset.ready = 'true';
  } catch (error) {
    byId('alerts').replaceChildren(element('span', { className: 'alert page', textContent: String(error.message) }));
  }
  setTimeout(refresh, REFRESH_MS);
}

addEventListener('resize', () => {
  for (const chart of charts.values()) chart.resize();
});
minutes.addEventListener('change', () => refreshPanels());
boards = await get('/api/boards');
showNavigation();
showBoard(boards.find(({ name }) => name === currentName()) ?? boards[0]);
await refresh();
