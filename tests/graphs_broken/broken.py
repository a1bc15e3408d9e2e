"""A graph whose import fails, on the line below."""

import a_package_that_is_not_installed

graph = a_package_that_is_not_installed.graph
