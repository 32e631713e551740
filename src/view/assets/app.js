/* SPDX-License-Identifier: Apache-2.0 */
/* The page is whole without this. It fetches the page again and puts in place
 * what changed, so nothing flickers and focus, selection and open parts stay;
 * and it asks in a dialog what otherwise is a page of its own. */
(() => {
    "use strict";

    const PERIOD = 2000; /* ms between two refreshes */
    const PATIENCE = 8000; /* ms to wait for an answer */
    const TYPING = 250; /* ms without a key before the list is filtered */
    const PARTS = [".where", "#now", "#zone", "#alerts", "main", "aside"];

    const byId = (id) => document.getElementById(id);

    let timer = 0;
    let asked = 0; /* number of the newest request */
    let failures = 0;
    let paused = false;

    /* Putting in place ---------------------------------------------------- */

    /* Not the server's to decide: whether a <details> is open, and what a
     * person typed. Elements with data-own were added here. */
    function morphAttributes(from, to) {
        for (const { name, value } of to.attributes) {
            if (from.getAttribute(name) !== value) {
                from.setAttribute(name, value);
            }
        }
        for (const { name } of [...from.attributes]) {
            if (!to.hasAttribute(name) && name !== "open") {
                from.removeAttribute(name);
            }
        }
    }

    function morphChildren(from, to) {
        let at = from.firstChild;
        const skipOwn = () => {
            while (at && at.dataset && "own" in at.dataset) {
                at = at.nextSibling;
            }
        };

        for (const want of [...to.childNodes]) {
            skipOwn();
            const named = want.id
                ? [...from.children].find((child) => child.id === want.id)
                : null;
            if (named) {
                if (named === at) {
                    at = at.nextSibling;
                } else {
                    from.insertBefore(named, at);
                }
                morph(named, want);
            } else if (at && at.nodeName === want.nodeName && !at.id
                       && !want.id) {
                const here = at;
                at = at.nextSibling;
                morph(here, want);
            } else {
                from.insertBefore(document.importNode(want, true), at);
            }
        }
        skipOwn();
        while (at) {
            const gone = at;
            at = at.nextSibling;
            gone.remove();
            skipOwn();
        }
    }

    function morph(from, to) {
        if (from.nodeType !== Node.ELEMENT_NODE) {
            if (from.data !== to.data) {
                from.data = to.data;
            }
            return;
        }
        if (from.isEqualNode(to)) {
            return;
        }
        morphAttributes(from, to);
        morphChildren(from, to);
    }

    /* Refreshing ---------------------------------------------------------- */

    async function fetchPage(url, options) {
        const answer = await fetch(url, {
            cache: "no-store",
            credentials: "same-origin",
            signal: AbortSignal.timeout(PATIENCE),
            ...options
        });
        const type = answer.headers.get("Content-Type") || "";
        const text = await answer.text();

        return {
            ok: answer.ok,
            status: answer.status,
            page: type.startsWith("text/html")
                ? new DOMParser().parseFromString(text, "text/html")
                : null
        };
    }

    function show(page) {
        document.title = page.title;
        for (const part of PARTS) {
            const from = document.querySelector(part);
            const to = page.querySelector(part);

            if (from && to) {
                morph(from, to);
            }
        }
    }

    function say(text, late) {
        if (byId("fresh").textContent !== text) {
            byId("fresh").textContent = text;
        }
        byId("live").classList.toggle("late", late);
    }

    function schedule() {
        clearTimeout(timer);
        if (!paused && !document.hidden) {
            timer = setTimeout(refresh, PERIOD * Math.min(1 + failures, 5));
        }
    }

    async function refresh() {
        const mine = ++asked;

        clearTimeout(timer);
        try {
            const { status, page } = await fetchPage(location.href);

            if (mine !== asked) {
                return;
            }
            if (!page || !page.getElementById("alerts")) {
                throw new Error(`status ${status}`);
            }
            failures = 0;
            show(page);
            say(paused ? "paused" : "", false);
        } catch (error) {
            if (mine !== asked) {
                return;
            }
            failures++;
            say(`no answer, this is old (${error.message})`, true);
        }
        schedule();
    }

    function go(url, replace) {
        history[replace ? "replaceState" : "pushState"](null, "", url);
        return refresh();
    }

    function pause() {
        paused = !paused;
        byId("pause").textContent = paused ? "Resume" : "Pause";
        say(paused ? "paused" : "", false);
        if (paused) {
            clearTimeout(timer);
        } else {
            refresh();
        }
    }

    /* The list of members ------------------------------------------------- */

    /* Not form.action: a field of that name would hide it. */
    const target = (form) => form.getAttribute("action");

    function filterUrl(form) {
        const query = new URLSearchParams();

        for (const [name, value] of new FormData(form)) {
            if (value !== "") {
                query.set(name, value);
            }
        }
        return `${target(form)}?${query}`;
    }

    let typing = 0;

    function onInput(event) {
        const form = event.target.closest("form.filter");

        if (form) {
            clearTimeout(typing);
            typing = setTimeout(() => go(filterUrl(form), true), TYPING);
        }
    }

    /* Actions ------------------------------------------------------------- */

    function dialogFor(part) {
        const dialog = document.createElement("dialog");

        dialog.dataset.own = "";
        dialog.setAttribute("aria-labelledby", "question");
        dialog.append(document.importNode(part, true));
        dialog.addEventListener("close", () => dialog.remove());
        document.body.append(dialog);
        return dialog;
    }

    function complain(form, text) {
        let line = form.querySelector("[role=alert]");

        if (!line) {
            line = document.createElement("p");
            line.className = "bad";
            line.setAttribute("role", "alert");
            form.append(line);
        }
        line.textContent = text;
    }

    function notice(text) {
        let line = byId("done");

        if (!line || !("own" in line.dataset)) {
            line = document.createElement("p");
            line.dataset.own = "";
            line.id = "done";
            line.className = "done";
            line.setAttribute("role", "status");
            byId("main").prepend(line);
        }
        line.textContent = text;
    }

    async function send(form, dialog) {
        let answer;

        try {
            answer = await fetchPage(target(form), {
                method: "POST",
                body: new URLSearchParams(new FormData(form))
            });
        } catch (error) {
            complain(form, `No answer: ${error.message}. Look at the state `
                     + "before trying again.");
            return;
        }
        const done = answer.page && answer.page.getElementById("done");
        const wrong = answer.page && answer.page.getElementById("wrong");

        if (!answer.ok || !done) {
            complain(form, wrong ? wrong.textContent
                                 : `Refused, status ${answer.status}.`);
            return;
        }
        dialog.close();
        notice(done.textContent);
        refresh();
    }

    /* @return false when it could not be asked here: follow the link then */
    async function ask(link) {
        const { page } = await fetchPage(link.href);
        const part = page && page.getElementById("confirm");

        if (!part || !part.querySelector("form")) {
            return false;
        }
        const dialog = dialogFor(part);

        dialog.addEventListener("submit", (event) => {
            event.preventDefault();
            send(event.target, dialog);
        });
        dialog.showModal();
        (dialog.querySelector("input:not([type=hidden])")
         || dialog.querySelector("button")).focus();
        return true;
    }

    function onClick(event) {
        const link = event.target.closest("a[href]");

        if (!link || event.ctrlKey || event.metaKey || event.shiftKey
            || event.button !== 0) {
            return;
        }
        if (link.closest("dialog") && "close" in link.dataset) {
            event.preventDefault();
            link.closest("dialog").close();
        } else if ("dialog" in link.dataset) {
            event.preventDefault();
            ask(link).catch(() => false).then((asked_) => {
                if (!asked_) {
                    location.assign(link.href);
                }
            });
        } else if (link.closest("thead, .pages, .states, .spans")
                   || link.id === "reload") {
            event.preventDefault();
            go(link.href, link.id === "reload");
        }
    }

    /* Plots: the numbers under the pointer -------------------------------- */

    function tipFor(figure) {
        let tip = figure.querySelector(".tip");

        if (!tip) {
            tip = document.createElement("span");
            tip.className = "tip";
            tip.dataset.own = "";
            tip.setAttribute("aria-hidden", "true");
            figure.append(tip);
        }
        return tip;
    }

    function onPoint(event) {
        const svg = event.target.closest(".plots .plot svg");

        if (!svg) {
            return;
        }
        const figure = svg.closest(".plot");
        const plots = svg.closest(".plots");
        const rows = plots.querySelectorAll(".numbers tbody tr");
        const box = svg.getBoundingClientRect();
        const part = (event.clientX - box.left) / box.width;
        const row = rows[Math.max(0, Math.min(rows.length - 1,
            Math.round(part * (rows.length - 1))))];
        const column = figure.dataset.columns.split(" ");

        if (row) {
            tipFor(figure).textContent = [row.cells[0].textContent]
                .concat(column.map((c) => row.cells[c].textContent))
                .join("  ");
        }
    }

    function onLeave(event) {
        const figure = event.target.closest && event.target.closest(".plot");

        if (figure && !figure.contains(event.relatedTarget)) {
            const tip = figure.querySelector(".tip");

            if (tip) {
                tip.remove();
            }
        }
    }

    /* ---------------------------------------------------------------------- */

    document.addEventListener("click", onClick);
    document.addEventListener("input", onInput);
    document.addEventListener("submit", (event) => {
        if (event.target.matches("form.filter")) {
            event.preventDefault();
            go(filterUrl(event.target), false);
        }
    });
    document.addEventListener("pointermove", onPoint);
    document.addEventListener("pointerout", onLeave);
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) {
            clearTimeout(timer);
        } else if (!paused) {
            refresh();
        }
    });
    window.addEventListener("popstate", refresh);
    byId("pause").hidden = false;
    byId("pause").addEventListener("click", pause);
    schedule();
})();
