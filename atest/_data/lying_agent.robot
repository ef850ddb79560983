*** Settings ***
Documentation       A guest in the place of whose agent a program of the guest's owner answers.

Resource            ../resources/guest.resource
Library             SSHLibrary

Suite Setup         Let An Agent Lie
Suite Teardown      Stop All VMs    timeout=0 s


*** Test Cases ***
Not A Number
    [Documentation]    Which is no JSON.
    Ask    {"return": [{"name": NaN}], "id": @}

Wrong Type
    [Documentation]    A number instead of a name.
    Ask    {"return": [{"name": 42}], "id": @}

Nested
    [Documentation]    Deeper than any parser should follow.
    Ask    {"return": ${{ '[' * 5000 }}${{ ']' * 5000 }}, "id": @}

Control Characters
    [Documentation]    For terminals, reports and logs.
    Ask    {"return": [{"name": "\\u001b[31m\\u0000\\ud800*HTML*<b>"}, 1], "id": @}

Bytes
    [Documentation]    That are no text.
    Ask    \x1b[2J\x00\x80 *HTML* <script>

Refused
    [Documentation]    With words that would break a report.
    Ask    {"error": {"class": "GenericError", "desc": "\\ud800\\u0000\\u001b]0;x\\u0007no"}, "id": @}

The Truth
    [Documentation]    The VM and the channel are well.
    Put Lie    {"return": [], "id": @}
    ${interfaces} =    Get Guest Interfaces    vm0
    Should Be Empty    ${interfaces}


*** Keywords ***
Let An Agent Lie
    [Documentation]    The guest's init starts it again when the true one is gone.
    Create VM    vm0
    Start VM    vm0    timeout=${PATIENCE}
    Wait Until Drivers Are Loaded    vm0
    Put Lie    {"return": {}, "id": @}
    SSHLibrary.Put File    ${CURDIR}/lying_agent.sh    /etc/init.d/agent    mode=0755
    Execute Command    kill $(pidof qemu-ga)

Put Lie
    [Documentation]    Escapes of bytes are as in a shell's printf.
    [Arguments]    ${lie}
    Evaluate    pathlib.Path($OUTPUT_DIR, 'lie').write_bytes($lie.encode('latin-1', 'replace'))
    ...    modules=pathlib
    SSHLibrary.Put File    ${OUTPUT_DIR}/lie    /run/lie

Ask
    [Documentation]    Fails with what the library makes of the answer.
    [Arguments]    ${lie}
    Put Lie    ${lie}
    Get Guest Interfaces    vm0
