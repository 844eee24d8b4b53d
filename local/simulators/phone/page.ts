import { Html, html } from './html.js';

const STYLE = `
:root{--ink:#15171c;--soft:#5c6370;--line:#e3e6eb;--ground:#f3f4f7;--card:#fff;--accent:#3f46d6;--good:#0b7a4b;--good-ground:#e4f5ec;
--bad:#b3261e;--bad-ground:#fdecea;--wait:#8a5a00;--wait-ground:#fff4dc}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;
-webkit-font-smoothing:antialiased}
main{max-width:430px;margin:0 auto;padding:20px 16px 32px;min-height:100vh;display:flex;flex-direction:column;gap:16px}
h1,h2,p{margin:0}h1{font-size:22px;line-height:1.25;letter-spacing:-.01em}
h2{font-size:13px;font-weight:600;color:var(--soft);margin:8px 4px -6px}
a{color:var(--accent)}
.soft{color:var(--soft);font-size:14px}
.card{background:var(--card);border:1px solid var(--line);border-radius:18px;padding:20px;box-shadow:0 1px 2px rgba(20,23,28,.04),0 6px 20px rgba(20,23,28,.05)}
.card:not(.row)>*+*{margin-top:16px}
.row{display:flex;align-items:center;gap:12px}.row>.grow{flex:1;min-width:0}
.badge{flex:none;width:44px;height:44px;border-radius:13px;background:var(--ink);color:#fff;display:grid;place-items:center;font-weight:650;font-size:18px}
.badge.round{border-radius:50%;background:#e6e8fb;color:var(--accent)}
.amount{font-size:40px;line-height:1.1;font-weight:680;letter-spacing:-.025em;font-variant-numeric:tabular-nums}
.pill{flex:none;border-radius:99px;padding:3px 11px;font-size:13px;font-weight:600;background:var(--ground);color:var(--soft)}
.pill.good{background:var(--good-ground);color:var(--good)}.pill.bad{background:var(--bad-ground);color:var(--bad)}
.pill.wait{background:var(--wait-ground);color:var(--wait)}
.note{border-radius:12px;padding:12px 14px;font-size:15px}
.note.bad{background:var(--bad-ground);color:var(--bad)}
.quote{border-left:3px solid var(--line);padding-left:12px;color:#343944;overflow-wrap:anywhere}
button,.button{display:block;width:100%;min-height:52px;border:0;border-radius:13px;font:inherit;font-weight:600;cursor:pointer;text-align:center;
background:var(--ink);color:#fff;padding:13px 16px;text-decoration:none}
button:hover,.button:hover{filter:brightness(1.15)}
button.plain,.button.plain{background:#fff;color:var(--ink);border:1px solid #c9ced6}button.plain:hover{filter:none;background:var(--ground)}
button.pay{background:var(--accent)}
:focus-visible{outline:3px solid #8d92f4;outline-offset:2px}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:10px}
form>*+*{margin-top:14px}.pair>*+*{margin-top:0}
label{display:block;font-size:14px;font-weight:600}
input{display:block;width:100%;min-height:50px;margin-top:6px;padding:11px 14px;border:1px solid #c9ced6;border-radius:12px;background:#fff;
color:var(--ink);font:inherit;font-weight:400;font-variant-numeric:tabular-nums}
input:focus{outline:3px solid #c9cbf9;border-color:var(--accent)}
.or{display:flex;align-items:center;gap:12px;color:var(--soft);font-size:13px}.or:before,.or:after{content:"";flex:1;height:1px;background:var(--line)}
.bubble{max-width:86%;background:#fff;border:1px solid var(--line);border-radius:18px 18px 18px 5px;padding:11px 15px;overflow-wrap:anywhere;white-space:pre-wrap}
.text{overflow-wrap:anywhere;white-space:pre-wrap}
.mine{margin-left:auto;background:var(--accent);color:#fff;border:0;border-radius:18px 18px 5px 18px}
.meta{font-size:12px;color:var(--soft);margin:4px 6px 0}
.thread>*+*{margin-top:12px}
.reply{display:grid;grid-template-columns:1fr auto;gap:8px;align-items:end}.reply>*+*{margin-top:0}.reply button{width:auto;min-height:50px}
a.entry{color:inherit;text-decoration:none}a.entry:hover{border-color:#b9bfca}
.done{width:64px;height:64px;border-radius:50%;margin:8px auto 0;display:grid;place-items:center;background:var(--good-ground);color:var(--good);font-size:30px;font-weight:700}
.done.wait{background:var(--wait-ground);color:var(--wait)}.done.off{background:var(--ground);color:var(--soft)}
.center{text-align:center}.one-line{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.whole{white-space:nowrap}
dl{display:grid;grid-template-columns:auto 1fr;gap:8px 16px;margin-bottom:0;font-size:15px;padding-top:16px;border-top:1px solid var(--line);text-align:left}
dt{color:var(--soft)}dd{margin:0;text-align:right;overflow-wrap:anywhere}
footer{margin-top:auto;padding-top:16px;text-align:center;font-size:12px;color:var(--soft)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
`;

/** A whole page, made for a phone of 390 px. `watch` is an address whose text changes when the page should reload. */
export function page(title: string, content: Html, watch?: { path: string; version: string }): string {
  const script = watch === undefined ? '' : watchScript(watch.path, watch.version);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <main>
          ${content}
          <footer>Local stand-in — no real money</footer>
        </main>
        ${new Html(script)}
      </body>
    </html>`.text;
}

/** Reloads when something arrived, but not while the caller is typing. */
function watchScript(path: string, version: string): string {
  const quoted = JSON.stringify({ path, version }).replaceAll('<', String.raw`\u003c`);
  return `<script>
const watched = ${quoted};
setInterval(async () => {
  const field = document.activeElement;
  if (field && field.tagName === 'INPUT' && field.value !== '') return;
  const answer = await fetch(watched.path).catch(() => undefined);
  if (answer && answer.ok && (await answer.text()) !== watched.version) location.reload();
}, 1000);
</script>`;
}

/** For every page: no outside content, forms only to here. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
};
