#!/usr/bin/env python3
"""Opens pages of unirack-topo in headless chromium, over its DevTools pipe, and uses them: every node
and link is there, hover, pinning, search, zoom and pan work, nothing is loaded, nothing complains.

Usage: topo_html_test.py UNIRACK_TOPO [SCREENSHOT_FOLDER]; exit status 77: there is no chromium."""
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

EXIT_SKIPPED = 77
DEADLINE_S = 60
LIVE = "topologies/ibnetdiscover/gb200-8-racks.out"


class Browser:
    """Messages are JSON ended by a zero byte: file descriptor 3 in, 4 out."""

    def __init__(self, program, profile):
        read_commands, self.write = os.pipe()
        self.read, write_replies = os.pipe()
        # In the child 3 and 4 are the pipe's ends; both are moved out of the way first.
        def place():
            first, second = os.dup(read_commands), os.dup(write_replies)
            os.dup2(first, 3)
            os.dup2(second, 4)
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--no-first-run", "--disable-background-networking", "--window-size=1600,1000",
             "--disable-dev-shm-usage", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_commands)
        os.close(write_replies)
        self.next_id, self.session, self.pending, self.events = 0, None, b"", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def receive(self, deadline):
        while b"\0" not in self.pending:
            if not select.select([self.read], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("chromium does not answer")
            part = os.read(self.read, 1 << 20)
            if not part:
                raise RuntimeError("chromium ended")
            self.pending += part
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]
        deadline = time.monotonic() + DEADLINE_S
        while True:
            reply = self.receive(deadline)
            if reply.get("id") == self.next_id:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return reply["result"]
            self.events.append(reply)

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + path)
        deadline = time.monotonic() + DEADLINE_S
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive(deadline))

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def key(self, key):
        more = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Failures(list):
    def expect(self, condition, what):
        if not condition:
            self.append(what)


def centre_of(browser, node):
    return browser.evaluate(
        f"(() => {{ const b = document.querySelector('[data-n=\"{node}\"] rect')"
        ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()")


def check_content(browser, graph, failures):
    """Against the graph as JSON, which the tool wrote on its own."""
    names = browser.evaluate("JSON.parse(document.getElementById('data').textContent).nodes"
                             ".map(node => node.n)")
    failures.expect(sorted(names) == sorted(node["name"] for node in graph["nodes"]),
                    "the page's nodes are not the graph's")
    cells = browser.evaluate("[...document.querySelectorAll('main [data-n]')].map(c => +c.dataset.n)")
    failures.expect(sorted(cells) == list(range(len(names))), "a node has no cell, or several")
    edges = browser.evaluate("JSON.parse(document.getElementById('data').textContent).edges")
    lines = browser.evaluate("[...document.querySelectorAll('main .l:not(.bundle)')]"
                             ".map(line => +line.dataset.e)")
    failures.expect(sorted(lines) == list(range(len(edges))), "an edge has no line, or several")
    linked = {frozenset((names[a], names[b])) for a, b, _ in edges}
    wanted = {frozenset((link["from"], link["to"])) for link in graph["links"]}
    failures.expect(linked == wanted, "the page's links are not the graph's")


def check_look(browser, failures):
    """No text wider than its cell, no cell upon another: a sample of 400."""
    wide = browser.evaluate(
        "[...document.querySelectorAll('main .c')].slice(0, 400).filter(cell => { const t = "
        "cell.querySelector('text'), r = cell.querySelector('rect'); return t && "
        "t.getBBox().width > r.getBBox().width + 1; }).map(cell => cell.textContent)")
    failures.expect(not wide, f"text is wider than its cell: {wide[:5]}")
    outside = browser.evaluate(
        "(() => { const v = document.querySelector('main svg').viewBox.baseVal; return "
        "[...document.querySelectorAll('main .c rect')].filter(r => { const b = r.getBBox(); return "
        "b.x < 0 || b.y < 0 || b.x + b.width > v.width || b.y + b.height > v.height; }).length; })()")
    failures.expect(outside == 0, f"{outside} cells lie outside the picture")


def check_hover(browser, failures):
    node = browser.evaluate("(() => { const c = document.querySelector('.c.gpu, .c.nic, .c'); "
                            "return +c.dataset.n; })()")
    name = browser.evaluate("JSON.parse(document.getElementById('data').textContent)"
                            f".nodes[{node}].n")
    x, y = centre_of(browser, node)
    browser.mouse("mouseMoved", x, y)
    tip = browser.evaluate("document.getElementById('tip').hidden ? '' : "
                           "document.getElementById('tip').textContent")
    failures.expect(name in tip, f"hovering over {name} shows '{tip[:80]}'")
    failures.expect("known from" in tip, "the tip does not say how it is known")
    failures.expect(browser.evaluate("document.querySelector('main svg').matches('.focus')"),
                    "hovering highlights nothing")
    browser.click(x, y)
    browser.mouse("mouseMoved", 5, 5)
    card = browser.evaluate("document.getElementById('card').hidden ? '' : "
                            "document.getElementById('card').textContent")
    failures.expect(name in card, "a click does not pin")
    browser.key("Escape")
    failures.expect(browser.evaluate("document.getElementById('card').hidden"), "Escape does not unpin")
    return node


def check_zoom(browser, node, failures):
    def transform():
        return browser.evaluate("(t => [t.a, t.e, t.f])(document.querySelector('main .view')"
                                ".transform.baseVal.consolidate().matrix)")
    x, y = centre_of(browser, node)
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-1200)
    zoomed = transform()
    failures.expect(zoomed[0] > 4, f"the wheel does not zoom: {zoomed}")
    after = centre_of(browser, node)
    # Events come in whole pixels, so what is under the pointer is right to one, magnified.
    slack = zoomed[0] + 1
    failures.expect(abs(after[0] - x) < slack and abs(after[1] - y) < slack,
                    f"zooming moves what is pointed at: {after}, {(x, y)}")
    failures.expect(browser.evaluate("document.querySelector('main svg').matches('.near')"),
                    "near by, single lines are not shown")
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    browser.mouse("mouseMoved", x + 80, y + 40, button="left", buttons=1)
    browser.mouse("mouseReleased", x + 80, y + 40, button="left", clickCount=1)
    panned = centre_of(browser, node)
    failures.expect(abs(panned[0] - after[0] - 80) < 4 and abs(panned[1] - after[1] - 40) < 4,
                    f"dragging does not pan: {panned}")
    browser.evaluate("document.getElementById('fit').click()")
    failures.expect(transform() == [1, 0, 0], "Fit does not show all")
    for key, wanted in (("+", lambda t: t[0] > 1), ("-", lambda t: abs(t[0] - 1) < 0.01),
                        ("ArrowLeft", lambda t: t[1] > 1), ("0", lambda t: t == [1, 0, 0])):
        browser.key(key)
        failures.expect(wanted(transform()), f"the key {key} does nothing: {transform()}")
    for button in ("in", "out"):
        browser.evaluate(f"document.getElementById('{button}').click()")
    failures.expect(abs(transform()[0] - 1) < 0.01, "the buttons do not zoom")


def check_search(browser, node, failures):
    browser.key("/")
    failures.expect(browser.evaluate("document.activeElement.id") == "search", "/ does not search")
    name = browser.evaluate("JSON.parse(document.getElementById('data').textContent)"
                            f".nodes[{node}].n")
    browser.call("Input.insertText", text=name)
    found = browser.evaluate("document.getElementById('found').textContent")
    hits = browser.evaluate("document.querySelectorAll('main .c.hit').length")
    failures.expect(found == f"{hits} found" and hits > 0, f"search finds '{found}', shows {hits}")
    browser.key("Enter")
    browser.key("Escape")
    failures.expect(browser.evaluate("document.querySelectorAll('main .c.hit').length") == 0,
                    "Escape does not end the search")
    browser.evaluate("document.getElementById('fit').click()")


def check_silence(browser, path, failures):
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            failures.expect(url == "file://" + path or url.startswith("data:"), f"requests {url}")
        elif method == "Runtime.exceptionThrown":
            failures.append(f"exception: {parameters['exceptionDetails']}")
        elif method == "Runtime.consoleAPICalled":
            failures.append(f"console: {parameters}")
        elif method == "Log.entryAdded":
            failures.append(f"log: {parameters['entry']['text']}")


def check_page(browser, tool, folder, name, arguments, shots):
    failures = Failures()
    page = os.path.join(folder, name + ".html")
    run = subprocess.run([tool, *arguments, "--html", page], capture_output=True, text=True,
                         timeout=DEADLINE_S)
    if run.returncode != 0:
        return [f"{arguments}: {run.stderr}"]
    source = [argument for argument in arguments[1:] if argument != "--collective"
              and argument != "all-gather"]
    graph = json.loads(subprocess.run([tool, "show", *source, "--json"], capture_output=True,
                                      text=True, timeout=DEADLINE_S, check=True).stdout)
    browser.open(page)
    check_content(browser, graph, failures)
    check_look(browser, failures)
    node = check_hover(browser, failures)
    check_zoom(browser, node, failures)
    check_search(browser, node, failures)
    if arguments[0] == "bound":
        pen = browser.evaluate("document.querySelector('#bounds .pen').textContent")
        failures.expect("all-gather at most" in pen, f"the bound is not said: '{pen}'")
        failures.expect(browser.evaluate("document.querySelectorAll('.glows .glow').length") > 0,
                        "the limiting cut is not marked")
    check_silence(browser, page, failures)
    if shots:
        shot = browser.call("Page.captureScreenshot")["data"]
        with open(os.path.join(shots, name + ".png"), "wb") as file:
            file.write(base64.b64decode(shot))
    print(f"{name}: {len(graph['nodes'])} nodes, {os.path.getsize(page)} bytes, "
          f"{len(failures)} failures", flush=True)
    return failures


def check_plan(browser, tool, folder, name, arguments, shots):
    """The page of `plan` has no script: all of it is there at once, and nothing sticks out."""
    failures = Failures()
    page = os.path.join(folder, name + ".html")
    subprocess.run([tool, "plan", *arguments, "--html", page], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    browser.open(page)
    for what, least in ((".timeline rect.t-flow", 8), (".timeline .t-critical", 2),
                        (".picture path.l", 8), ("tr.chosen", 1), (".envelope div", 2)):
        count = browser.evaluate(f"document.querySelectorAll('{what}').length")
        failures.expect(count >= least, f"{count} of {what}, expected at least {least}")
    wide = browser.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    failures.expect(wide <= 0, f"the page is {wide} pixels too wide")
    check_silence(browser, page, failures)
    if shots:
        shot = browser.call("Page.captureScreenshot")["data"]
        with open(os.path.join(shots, name + ".png"), "wb") as file:
            file.write(base64.b64decode(shot))
    print(f"{name}: {os.path.getsize(page)} bytes, {len(failures)} failures", flush=True)
    return failures


def main():
    tool = os.path.abspath(sys.argv[1])
    shots = sys.argv[2] if len(sys.argv) > 2 else None
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        print("skipped: 7 pages: chromium is not installed")
        return EXIT_SKIPPED
    pages = {
        "machine": ["show"],
        "box": ["show", "dgx-a100"],
        "pool": ["bound", "nvl72:racks=8", "--collective", "all-gather", "--kill", "nic:3", "--kill",
                 "leaf:5", "--kill", "gpu:100"],
        "torus": ["show", "torus:4x4"],
    }
    live = os.path.join(os.environ.get("UNIRACK_TEST_DATA", ""), LIVE)
    if os.environ.get("UNIRACK_TEST_DATA") and os.path.exists(live):
        pages["live"] = ["bound", live, "--collective", "all-gather"]
    else:
        print("skipped: 1 page: UNIRACK_TEST_DATA is not set")
    failed = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, os.path.join(folder, "profile"))
        try:
            for name, arguments in pages.items():
                for failure in check_page(browser, tool, folder, name, arguments, shots):
                    print(f"{name}: {failure}")
                    failed += 1
            plans = {"plan": ["--topology", "dgx-h100", "--sizes", "1K-1G"],
                     "plan-racks": ["--topology", "nvl72:racks=2", "--size", "1M", "--sizes", "1K-1M"]}
            for name, arguments in plans.items():
                for failure in check_plan(browser, tool, folder, name, arguments, shots):
                    print(f"{name}: {failure}")
                    failed += 1
        finally:
            browser.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
