"""The chat page in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.contract

INSTALL = "apt-get update && apt-get install -y chromium chromium-driver"
SECONDS = 15


@pytest.fixture
def browser(need: Callable[..., str], tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = need("chromium", "chromium-browser", "google-chrome", install=INSTALL)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'browser'}",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(need("chromedriver", install=INSTALL)))
    yield driver
    driver.quit()


class Window:
    """One window of the browser with the chat page."""

    def __init__(self, browser: webdriver.Chrome, url: str, name: str) -> None:
        self._browser = browser
        browser.switch_to.new_window("window")
        self._handle = browser.current_window_handle
        browser.get(f"{url}/api/index?name={name}")

    def find(self, element_id: str) -> Any:
        self._browser.switch_to.window(self._handle)
        return self._browser.find_element(By.ID, element_id)

    def wait_for(self, element_id: str, text: str) -> None:
        WebDriverWait(self._browser, SECONDS, 0.05).until(
            lambda _: text in self.find(element_id).text,
            f"{text!r} in #{element_id}: {self.find(element_id).text!r}",
        )

    def join(self) -> None:
        self.find("connect").click()

    def say(self, text: str) -> None:
        self.find("text").send_keys(text + "\n")


def test_two_windows_talk(chat: Any, browser: webdriver.Chrome) -> None:
    alice = Window(browser, chat.host_url, "alice")
    assert alice.find("name").get_attribute("value") == "alice"
    alice.join()
    alice.wait_for("status", "Connected as alice")
    alice.wait_for("log", "alice joined group: group1")

    bob = Window(browser, chat.host_url, "bob")
    bob.join()
    bob.wait_for("status", "Connected as bob")
    alice.wait_for("log", "bob is connected")

    bob.say("hello from bob")
    bob.wait_for("log", "ack, 1 so far")
    alice.wait_for("log", "hello from bob")
    alice.say("<b>hello</b> bob")
    bob.wait_for("log", "<b>hello</b> bob")

    assert [item.text for item in alice.find("log").find_elements(By.CSS_SELECTOR, "li.mine")] == [
        "alice\n<b>hello</b> bob"
    ]
    assert alice.find("log").find_elements(By.CSS_SELECTOR, "li.system")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]  # type: ignore[no-untyped-call]


def test_a_refused_name_is_told_so_and_may_try_another(chat: Any, browser: webdriver.Chrome) -> None:
    window = Window(browser, chat.host_url, "attacker")
    window.join()
    window.wait_for("status", "“attacker” was refused")
    assert window.find("text").get_attribute("disabled")
    window.find("name").send_keys("carol")
    window.join()
    window.wait_for("status", "Connected as carol")


def test_an_ended_connection_is_told_and_can_be_opened_again(chat: Any, browser: webdriver.Chrome) -> None:
    window = Window(browser, chat.host_url, "alice")
    window.join()
    window.wait_for("status", "Connected as alice")
    browser.execute_script("socket.close()")
    window.wait_for("status", "Disconnected")
    assert window.find("connect").text == "Reconnect"
    window.join()
    window.wait_for("status", "Connected as alice")
