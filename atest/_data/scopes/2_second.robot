*** Settings ***
Documentation       Says what lives after the first suite.

Resource            words.resource


*** Test Cases ***
Tell What Lives After The Suite
    [Documentation]    Both VMs were started in the suite before.
    Tell What Lives    after the suite
