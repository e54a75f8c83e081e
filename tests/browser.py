"""A headless Chromium that tests drive, and what it did: messages, requests, layout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

__all__ = ["Browser"]

_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # which is small in containers
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
# The lowest contrast (WCAG 2.1, section 1.4.3) of all text that can be seen, with what it is of.
_CONTRASTS = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
  .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  if (element.closest(".unseen, .skip, caption, script, style")) continue;
  let behind = element;
  const color = (at) => channels(getComputedStyle(at).backgroundColor);
  while (behind && (color(behind)[3] ?? 1) === 0) behind = behind.parentElement;
  const pair = [channels(getComputedStyle(element).color), color(behind)].map(luminance);
  const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  found.push([contrast, `${element.tagName}.${element.className}: ${walker.currentNode.data}`]);
}
return found;
"""


class Browser:
    """One Chromium with an empty profile; `close` ends it."""

    def __init__(self, programs: tuple[str, str], profile: Path) -> None:
        """Start it; `programs` are the paths of chromium and chromedriver."""
        options = webdriver.ChromeOptions()
        options.binary_location, driver = programs
        for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # With the driver named, Selenium looks for none, and asks nobody.
        self._driver = webdriver.Chrome(options=options, service=Service(driver))

    def close(self) -> None:
        """End it, with all that it started."""
        self._driver.quit()

    def open(self, page: Path, *, width: int = 1280, height: int = 900) -> None:
        """Show a page in a window of this size; what was logged before is forgotten."""
        self.resize(width, height)
        self._driver.get("about:blank")
        self.messages()
        self.requests()
        self._driver.get(page.as_uri())

    def resize(self, width: int, height: int = 900) -> None:
        """Make the window this large, in CSS pixels, and wait until that is drawn."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **metrics)
        self.wait_for_drawing()

    def emulate(self, media: str = "", **features: str) -> None:
        """Pretend a medium ("print") and media features, named with underscores; none as it is."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.command("Emulation.setEmulatedMedia", media=media, features=listed)

    def command(self, name: str, **parameters: object) -> Any:
        """Give a command of Chromium's DevTools protocol."""
        return self._driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *arguments: object) -> Any:
        """What a JavaScript function's body returns."""
        return self._driver.execute_script(script, *arguments)

    def wait_for_drawing(self) -> None:
        """Until the page has been laid out and drawn twice, observers of sizes included."""
        self._driver.execute_async_script(
            "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        )

    def all(self, selector: str) -> list[WebElement]:
        """The elements of a CSS selector."""
        return self._driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """What stands in the elements of a CSS selector, seen or not."""
        script = "return [...document.querySelectorAll(arguments[0])].map((it) => it.textContent)"
        found: list[str] = self.run(script, selector)
        return found

    def press(self, *keys: str) -> None:
        """Press these keys, one after the other, where the focus is."""
        for key in keys:
            ActionChains(self._driver).send_keys(key).perform()

    def tab_back(self) -> None:
        """Press Tab while Shift is held."""
        held = ActionChains(self._driver).key_down(Keys.SHIFT)
        held.send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()

    @property
    def focused(self) -> WebElement:
        """The element that has the focus."""
        return self._driver.switch_to.active_element

    def messages(self) -> list[str]:
        """What was written to the console since this was asked, breaches of the policy too."""
        return [entry["message"] for entry in self._driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """The URLs that the page asked for since this was asked."""
        return [
            event["params"]["request"]["url"]
            for event in self._events()
            if event["method"] == "Network.requestWillBeSent"
        ]

    def contrasts(self) -> list[tuple[float, str]]:
        """The contrast of each text that can be seen, and what text that is, the lowest first."""
        return sorted((contrast, text) for contrast, text in self.run(_CONTRASTS))

    def _events(self) -> Iterator[Any]:
        for entry in self._driver.get_log("performance"):  # type: ignore[no-untyped-call]
            yield json.loads(entry["message"])["message"]
