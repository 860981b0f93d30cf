// What the page needs of the browser: its colours, and arrow keys that do not scroll where they choose.
'use strict';
const themeKey = 'session-console-dark';
window.sessionConsole = {
  isDark() {
    const kept = localStorage.getItem(themeKey);
    const dark = kept === null ? matchMedia('(prefers-color-scheme: dark)').matches : kept === 'true';
    this.show(dark);
    return dark;
  },
  keepTheme(dark) {
    localStorage.setItem(themeKey, dark);
    this.show(dark);
  },
  show(dark) {
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  },
};
sessionConsole.isDark();
document.addEventListener('keydown', event => {
  const moves = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'];
  if (event.target.closest?.('[data-arrows]') && moves.includes(event.key))
    event.preventDefault();
});
// One WebSocket and no negotiation before it: several processes may share the port, and a second connection could reach another one.
Blazor.start({
  circuit: { configureSignalR: signalR => signalR.withUrl('_blazor', { skipNegotiation: true, transport: 1 }) },
});
