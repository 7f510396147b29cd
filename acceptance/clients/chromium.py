"""Chromium with a virtual authenticator (WebDriver's extension of Web Authentication), driven by Selenium.

It is a real browser: it decides by itself what an origin may ask for, runs the pages' script under their policy, and its
authenticator makes keys, counts, and signs.
"""

import shutil
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Chromium:
    """A browser on a profile of its own."""

    def __init__(self, profile: Path) -> None:
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options, ChromeService(shutil.which("chromedriver")))

    def quit(self) -> None:
        """Ends the browser."""
        self.driver.quit()

    def plug_in(self) -> None:
        """An authenticator in the device that can keep passkeys and knows its user."""
        options = VirtualAuthenticatorOptions(
            protocol=VirtualAuthenticatorOptions.Protocol.CTAP2,
            transport=VirtualAuthenticatorOptions.Transport.INTERNAL,
            has_resident_key=True,
            has_user_verification=True,
            is_user_verified=True,
        )
        self.driver.add_virtual_authenticator(options)

    def forget(self) -> None:
        """Deletes the cookies of the page's site: nobody is signed in any more."""
        self.driver.delete_all_cookies()

    def open(self, url: str) -> None:
        """Opens a page."""
        self.driver.get(url)

    def fill(self, **fields: str) -> None:
        """Types into the fields of these names."""
        for name, text in fields.items():
            field = self.driver.find_element(By.NAME, name)
            field.clear()
            field.send_keys(text)

    def click(self, text: str) -> None:
        """Clicks the button that says this."""
        button = next(one for one in self.driver.find_elements(By.TAG_NAME, "button") if one.text == text)
        button.click()

    def buttons(self) -> list[str]:
        """What the buttons that are shown say."""
        found = self.driver.find_elements(By.TAG_NAME, "button")
        return [button.text for button in found if button.is_displayed()]

    def wait_for(self, text: str) -> str:
        """Waits until the page says this; answers all it says."""
        body = (By.TAG_NAME, "body")
        WebDriverWait(self.driver, 30, ignored_exceptions=[Exception]).until(
            lambda driver: text in driver.find_element(*body).text, f"{text!r} is not on the page"
        )
        return self.driver.find_element(*body).text

    def run(self, script: str) -> object:
        """Runs a script in the page."""
        return self.driver.execute_script(script)

    def complaints(self) -> list[str]:
        """What the browser wrote to its console since the last time."""
        return [line["message"] for line in self.driver.get_log("browser")]
