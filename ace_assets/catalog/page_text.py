"""The text of the listening page: HTML, style and script, without any library and without any network."""

from __future__ import annotations

LISTENING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Listen: {release}</title>
<style>{style}</style>
</head>
<body>
<header>
  <div><h1>Listen</h1><p class="sub">release {release}</p></div>
  <label class="who">Listener <input id="listener" autocomplete="off" placeholder="your name"></label>
  <p id="progress" class="sub" role="status"></p>
  <button id="download" class="strong">Download verdicts</button>
</header>
<div class=banners>{banner}</div>
<main>
  <nav aria-label="Cells"><input id="search" type="search" placeholder="find a cell"><ul id="cells"></ul></nav>
  <section id="tracks" aria-live="off"></section>
</main>
<footer>
  <button id="play" aria-label="play or pause">&#9654;</button>
  <div id="now">Choose a track.</div>
  <input id="seek" type="range" min="0" max="1000" value="0" aria-label="position">
  <span id="time" class="sub">0:00</span>
  <p class="keys">space play &middot; &uarr; &darr; track &middot; &larr; &rarr; 10 s &middot; <b>k</b>eep &middot;
  <b>r</b>eject &middot; <b>u</b>nsure &middot; <b>e</b> reason &middot; <b>n</b>ext unheard</p>
</footer>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""

LISTENING_STYLE = """
:root { color-scheme: light dark; --page: #f6f5f2; --panel: #fff; --ink: #22272e; --soft: #626b76; --line: #dedbd4;
  --accent: #1f7a6d; --bad: #b4432c; --maybe: #a9771c; --warn: #7a3b00; --warn-page: #ffe9cf; --wave: #aab2ba; }
@media (prefers-color-scheme: dark) { :root { --page: #15181c; --panel: #1d2227; --ink: #e6e8ea; --soft: #98a2ad;
  --line: #343b43; --accent: #4fb8a6; --bad: #e5806b; --maybe: #dcb264; --warn: #ffd9a8; --warn-page: #4a2f10;
  --wave: #56616c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", sans-serif;
  display: grid; grid-template-rows: auto auto 1fr auto; height: 100vh; }
header, footer { background: var(--panel); padding: 12px 20px; display: flex; gap: 20px; align-items: center;
  border-bottom: 1px solid var(--line); flex-wrap: wrap; }
footer { border: 0; border-top: 1px solid var(--line); grid-row: 4; }
header { grid-row: 1; } main { grid-row: 3; }
h1 { font-size: 19px; margin: 0; } .sub { color: var(--soft); margin: 0; font-size: 13px; }
#progress { flex: 1; font-variant-numeric: tabular-nums; }
.banners { grid-row: 2; }
.banner { background: var(--warn-page); color: var(--warn); margin: 0; padding: 8px 20px; }
main { display: grid; grid-template-columns: 280px 1fr; min-height: 0; }
nav { border-right: 1px solid var(--line); overflow-y: auto; padding: 12px; }
#search { width: 100%; } ul { list-style: none; margin: 10px 0 0; padding: 0; }
nav li button { width: 100%; text-align: left; border: 0; background: none; padding: 6px 8px; border-radius: 6px;
  display: flex; justify-content: space-between; gap: 8px; overflow-wrap: anywhere; }
nav li button[aria-current=true] { background: var(--accent); color: var(--page); }
nav li span { flex: none; font-variant-numeric: tabular-nums; opacity: .75; }
#tracks { overflow-y: auto; padding: 16px 20px; }
article { background: var(--panel); border: 1px solid var(--line); border-left: 5px solid var(--line); border-radius: 10px;
  padding: 12px 16px; margin-bottom: 12px; }
article.chosen { outline: 2px solid var(--accent); }
article[data-verdict=keep] { border-left-color: var(--accent); } article[data-verdict=reject] { border-left-color: var(--bad); }
article[data-verdict=unsure] { border-left-color: var(--maybe); }
.top { display: flex; gap: 12px; align-items: baseline; flex-wrap: wrap; } .top b { font-size: 16px; }
.tag { font-size: 12px; border-radius: 4px; padding: 1px 6px; background: var(--warn-page); color: var(--warn); }
canvas { width: 100%; height: 56px; display: block; margin: 8px 0; cursor: pointer; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 4px 18px; margin: 6px 0; }
dl div { display: flex; flex-direction: column; } dt { color: var(--soft); font-size: 12px; } dd { margin: 0; }
.why { color: var(--soft); font-size: 13px; margin: 4px 0 8px; }
.say { display: flex; gap: 8px; flex-wrap: wrap; } .say input { flex: 1; min-width: 180px; }
button, input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line); border-radius: 7px;
  padding: 6px 12px; } button { cursor: pointer; }
button.strong { background: var(--accent); color: var(--page); border-color: transparent; font-weight: 600; }
.say button[aria-pressed=true][data-say=keep] { background: var(--accent); color: var(--page); }
.say button[aria-pressed=true][data-say=reject] { background: var(--bad); color: var(--page); }
.say button[aria-pressed=true][data-say=unsure] { background: var(--maybe); color: var(--page); }
#now { min-width: 200px; } #seek { flex: 1; padding: 0; } .keys { width: 100%; margin: 0; color: var(--soft); font-size: 12px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
@media (max-width: 760px) { main { grid-template-columns: 1fr; grid-template-rows: 30vh 1fr; } nav { border: 0; } }
"""

LISTENING_SCRIPT = r"""
const data = JSON.parse(document.getElementById('data').textContent);
const at = id => document.getElementById(id);
const cells = new Map();
for (const track of data.tracks) {
  if (!cells.has(track.cell)) cells.set(track.cell, []);
  cells.get(track.cell).push(track);
}
let saved = { listener: '', verdicts: {}, cell: null };
try { saved = { ...saved, ...JSON.parse(localStorage.getItem(data.key) || '{}') }; }
catch (error) { console.warn(error.message); }
function save() {
  try { localStorage.setItem(data.key, JSON.stringify(saved)); at('progress').dataset.unsaved = ''; }
  catch (error) { at('progress').dataset.unsaved = 'not saved by this browser: download often. '; }
  showProgress();
}
const audio = new Audio();
audio.preload = 'none';
let cell = cells.has(saved.cell) ? saved.cell : [...cells.keys()][0];
let chosen = null;

function make(tag, text, attributes) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  return element;
}
const number = (value, digits) => value === null || value === undefined ? 'not measured' : Number(value).toFixed(digits);
const clock = s => Math.floor(s / 60) + ':' + String(Math.floor(s % 60)).padStart(2, '0');
const judged = track => saved.verdicts[track.track_id];

function showProgress() {
  const all = data.tracks.filter(judged), count = say => all.filter(t => judged(t).verdict === say).length;
  at('progress').textContent = (at('progress').dataset.unsaved || '') + all.length + ' of ' + data.tracks.length +
    ' judged: ' + count('keep') + ' keep, ' + count('reject') + ' reject, ' + count('unsure') + ' unsure';
}
function showCells() {
  const wanted = at('search').value.trim().toLowerCase();
  at('cells').replaceChildren(...[...cells].filter(([name]) => name.toLowerCase().includes(wanted)).map(([name, tracks]) => {
    const item = make('li'), button = make('button', name, { 'aria-current': name === cell });
    button.append(make('span', tracks.filter(judged).length + '/' + tracks.length));
    button.onclick = () => openCell(name);
    item.append(button);
    return item;
  }));
}
function openCell(name, first) {
  cell = name; saved.cell = name; save(); showCells();
  const tracks = cells.get(name) || [];
  at('tracks').replaceChildren(...(tracks.length ? tracks.map(card) : [make('p', 'No kept track yet.')]));
  choose(first || tracks[0]);
  tracks.forEach(drawWave);
}
function pair(term, asked, measured) {
  const box = make('div');
  box.append(make('dt', term), make('dd', asked + '  →  ' + measured));
  return box;
}
function card(track) {
  const article = make('article', null, { id: track.track_id, 'data-verdict': judged(track)?.verdict || '' });
  const top = make('div', null, { class: 'top' });
  top.append(make('b', track.title), make('span', track.track_id, { class: 'sub' }));
  if (track.preview) top.append(make('span', 'preview engine', { class: 'tag' }));
  if (!track.exportable) top.append(make('span', track.why_not_exportable, { class: 'tag' }));
  const wave = make('canvas', null, { width: 900, height: 56, role: 'img', 'aria-label': 'waveform' });
  wave.onclick = event => {
    choose(track); play();
    seekTo((event.offsetX / wave.clientWidth) * track.duration_s);
  };
  const facts = make('dl');
  facts.append(
    pair('tempo, asked → measured', number(track.requested_bpm, 0), number(track.measured_bpm, 1) + ' bpm'),
    pair('key, asked → measured', track.requested_key || 'any', (track.measured_key || 'not measured') +
      (track.key_match ? ' (' + track.key_match + ')' : '')),
    pair('length, asked → measured', number(track.requested_duration_s, 0), number(track.duration_s, 1) + ' s'),
  );
  const loud = make('div');
  loud.append(make('dt', 'loudness, peak'), make('dd', number(track.integrated_loudness_lufs, 1) + ' LUFS, ' +
    number(track.true_peak_dbtp, 1) + ' dBTP'));
  const score = make('div');
  score.append(make('dt', 'signal score'), make('dd', number(track.signal_score, 1)));
  facts.append(loud, score);
  const say = make('div', null, { class: 'say' });
  for (const word of ['keep', 'reject', 'unsure']) {
    const button = make('button', word, { 'data-say': word, 'aria-pressed': judged(track)?.verdict === word });
    button.onclick = () => { choose(track); judge(track, word); };
    say.append(button);
  }
  const reason = make('input', null, { placeholder: 'reason', 'aria-label': 'reason' });
  reason.value = judged(track)?.reason || '';
  reason.onchange = () => { if (judged(track)) { judged(track).reason = reason.value; save(); } };
  say.append(reason);
  article.append(top, wave, facts, make('p', [track.why, track.caption].filter(Boolean).join(' — '), { class: 'why' }), say);
  article.onclick = event => { if (!event.target.closest('button, input, canvas')) choose(track); };
  return article;
}
function judge(track, word) {
  const article = at(track.track_id), reason = article.querySelector('.say input').value;
  if (judged(track)?.verdict === word) delete saved.verdicts[track.track_id];
  else saved.verdicts[track.track_id] = { verdict: word, reason, judged_at: new Date().toISOString() };
  article.dataset.verdict = judged(track)?.verdict || '';
  article.querySelectorAll('[data-say]').forEach(b => b.setAttribute('aria-pressed', b.dataset.say === judged(track)?.verdict));
  save(); showCells();
}
function choose(track) {
  if (!track) { chosen = null; return; }
  document.querySelectorAll('article.chosen').forEach(a => a.classList.remove('chosen'));
  const article = at(track.track_id);
  article?.classList.add('chosen');
  article?.scrollIntoView({ block: 'nearest' });
  if (chosen !== track) {
    const playing = !audio.paused;
    chosen = track; audio.src = track.audio; at('now').textContent = track.title + ' · ' + track.track_id;
    if (playing) play();
  }
}
function play() {
  audio.play().catch(error => { if (error.name !== 'AbortError') at('now').textContent = 'cannot play ' + chosen.audio; });
}
function toggle() { if (!chosen) return; if (audio.paused) play(); else audio.pause(); }
function seekTo(seconds) {
  if (audio.readyState) audio.currentTime = seconds;
  else audio.addEventListener('loadedmetadata', () => { audio.currentTime = seconds; }, { once: true });
}
function step(by) {
  const tracks = cells.get(cell) || [], next = tracks[tracks.indexOf(chosen) + by];
  if (next) { choose(next); return; }
  const names = [...cells.keys()], other = names[names.indexOf(cell) + by];
  if (other) openCell(other, by > 0 ? undefined : cells.get(other).at(-1));
}
function nextUnheard() {
  const from = data.tracks.indexOf(chosen), round = [...data.tracks.slice(from + 1), ...data.tracks.slice(0, from + 1)];
  const next = round.find(track => !judged(track));
  if (next) { if (next.cell !== cell) openCell(next.cell, next); else choose(next); }
}
function drawWave(track) {
  const canvas = at(track.track_id)?.querySelector('canvas');
  if (!canvas || !track.wave) return;
  const heights = Uint8Array.from(atob(track.wave), c => c.charCodeAt(0)), pen = canvas.getContext('2d');
  const style = getComputedStyle(document.documentElement), width = canvas.width / heights.length;
  const done = chosen === track && track.duration_s ? audio.currentTime / track.duration_s : 0;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  heights.forEach((height, i) => {
    const size = Math.max(2, (height / 255) * canvas.height);
    pen.fillStyle = style.getPropertyValue(i / heights.length < done ? '--accent' : '--wave');
    pen.fillRect(i * width, (canvas.height - size) / 2, Math.max(1, width - 2), size);
  });
}
const quoted = value => '"' + String(value ?? '').replaceAll('"', '""') + '"';
function verdictCsv() {
  const lines = ['track_id,verdict,reason,listener,judged_at,cell,title'];
  for (const track of data.tracks.filter(judged)) {
    const said = judged(track);
    const row = [track.track_id, said.verdict, said.reason, saved.listener, said.judged_at, track.cell, track.title];
    lines.push(row.map(quoted).join(','));
  }
  return lines.join('\r\n') + '\r\n';
}
at('download').onclick = () => {
  const link = make('a', null, { download: 'verdicts-' + (saved.listener.replace(/\W+/g, '-') || 'unnamed') + '.csv' });
  link.href = URL.createObjectURL(new Blob([verdictCsv()], { type: 'text/csv;charset=utf-8' }));
  document.body.append(link); link.click(); link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
at('listener').value = saved.listener;
at('listener').oninput = () => { saved.listener = at('listener').value.trim(); save(); };
at('search').oninput = showCells;
at('play').onclick = toggle;
at('seek').oninput = () => { if (chosen) seekTo((at('seek').value / 1000) * chosen.duration_s); };
audio.onplay = () => { at('play').innerHTML = '&#10074;&#10074;'; };
audio.onpause = () => { at('play').innerHTML = '&#9654;'; };
audio.onended = () => step(1);
audio.onerror = () => { if (chosen) at('now').textContent = 'cannot play ' + chosen.audio; };
audio.ontimeupdate = () => {
  if (!chosen) return;
  at('seek').value = chosen.duration_s ? (audio.currentTime / chosen.duration_s) * 1000 : 0;
  at('time').textContent = clock(audio.currentTime) + ' / ' + clock(chosen.duration_s);
  drawWave(chosen);
};
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches('input:not([type=range])')) {
    if (event.key === 'Escape' || event.key === 'Enter') event.target.blur();
    return;
  }
  const doing = {
    ' ': toggle, ArrowDown: () => step(1), ArrowUp: () => step(-1),
    ArrowRight: () => seekTo(audio.currentTime + 10), ArrowLeft: () => seekTo(Math.max(0, audio.currentTime - 10)),
    k: () => chosen && judge(chosen, 'keep'), r: () => chosen && judge(chosen, 'reject'),
    u: () => chosen && judge(chosen, 'unsure'), n: nextUnheard,
    e: () => chosen && at(chosen.track_id).querySelector('.say input').focus(),
  }[event.key];
  if (doing) { event.preventDefault(); doing(); }
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (cells.get(cell) || []).forEach(drawWave));
openCell(cell);
"""
