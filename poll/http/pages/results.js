// Keeps the results on the page up to date. Without it the page shows the same numbers and reloads itself.
(() => {
  "use strict";
  const number = new Intl.NumberFormat("en-US");
  const percent = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const clock = new Intl.DateTimeFormat([], { timeStyle: "medium" });
  const trouble = document.getElementById("trouble");
  const status = document.getElementById("status");
  const spoken = document.getElementById("spoken");
  const count = (n) => `${number.format(n)} ${n === 1 ? "vote" : "votes"}`;

  const show = (results) => {
    for (const option of results.options) {
      const row = document.querySelector(`[data-option="${option.id}"]`);
      const share = `${percent.format(option.share)}%`;
      row.querySelector(".share").textContent = share;
      row.querySelector(".votes").textContent = count(option.votes);
      row.querySelector(".bar").setAttribute("aria-label", `${option.label}: ${share}`);
      row.querySelector("rect").setAttribute("width", `${option.share}%`);
    }
    document.getElementById("total").textContent = `${count(results.total)} in all`;
    const asOf = results.as_of ? clock.format(new Date(results.as_of)) : "";
    setTrouble(results.live ? "" : results.trouble);
    status.textContent = results.live ? `Live · ${asOf}` : asOf ? `As of ${asOf}` : results.total ? "Not live" : "No count yet";
    speak(results);
  };

  const setTrouble = (sentence) => {
    document.body.classList.toggle("stale", sentence !== "");
    trouble.hidden = sentence === "";
    if (trouble.firstElementChild.textContent !== sentence) {
      trouble.firstElementChild.textContent = sentence;
    }
  };

  // A screen reader hears the numbers when they change, but at most every 15 seconds.
  let lastSpoken = Date.now();
  const speak = (results) => {
    const sentence = results.options.map((o) => `${o.label}: ${percent.format(o.share)} percent`).join(", ");
    if (sentence !== spoken.textContent && Date.now() - lastSpoken > 15000) {
      spoken.textContent = sentence;
      lastSpoken = Date.now();
    }
  };

  // The server sends an event at least every 10 seconds. A connection may be lost without either side being told.
  const silence = 25000;
  const connect = () => {
    const events = new EventSource("/events");
    const lost = () => {
      setTrouble("The connection to the results is lost. These are the last known numbers; the page tries again by itself.");
      status.textContent = "Not connected";
    };
    let timer;
    const expect = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        events.close();
        lost();
        connect();
      }, silence);
    };
    expect();
    events.onmessage = (event) => {
      expect();
      show(JSON.parse(event.data));
    };
    events.onerror = () => {
      lost();
      // The browser reconnects a connection that broke, but not one that was refused.
      if (events.readyState === EventSource.CLOSED) {
        clearTimeout(timer);
        setTimeout(connect, 3000 + Math.random() * 4000);
      }
    };
  };
  connect();
})();
