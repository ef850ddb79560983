*** Settings ***
Documentation       Guests in SSHLibrary beside one another, and beside connections of the tester.

Resource            ../resources/common.resource
Library             SSHLibrary

Suite Setup         Start Two VMs
Suite Teardown      Run Keywords    Stop All VMs    AND    Close All Connections

Test Timeout        5 min

Test Tags           ssh


*** Test Cases ***
Each VM Is A Connection By Its Name
    [Documentation]    The one that was started last is the current one.
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm1
    FOR    ${vm}    IN    vm0    vm1
        Switch Connection    ${vm}
        ${name} =    Execute Command    hostname
        Should Be Equal    ${name}    ${vm}
    END

The Interactive Keywords Find The Prompt
    [Documentation]    The connection knows it, so a login waits for nothing else.
    Switch Connection    vm0
    Write    echo $((6 * 7))
    ${text} =    Read Until Prompt
    Should Contain    ${text}    42

Files Go By SFTP
    [Documentation]    With the login that Start VM has made.
    Create File    ${OUTPUT_DIR}/sent.txt    hello
    Put File    ${OUTPUT_DIR}/sent.txt    /tmp/sent.txt
    ${text} =    Execute Command    cat /tmp/sent.txt
    Should Be Equal    ${text}    hello

A Connection Of The Tester Outlives The Stop Of Another VM
    [Documentation]    It stays the current one; only the VM's own connection is closed.
    Open Connection    ${SESSIONS['vm0'].host}    alias=mine    port=${SESSIONS['vm0'].port}
    Login With Public Key    root    ${SESSIONS['vm0'].key}
    Stop VM    vm1
    ${connection} =    Get Connection    alias=yes
    Should Be Equal    ${connection}    mine
    FOR    ${alias}    IN    mine    vm0
        Switch Connection    ${alias}
        ${name} =    Execute Command    hostname
        Should Be Equal    ${name}    vm0
    END
    Run Keyword And Expect Error    Non-existing index or alias 'vm1'.    Switch Connection    vm1


*** Keywords ***
Start Two VMs
    [Documentation]    One after the other, both by SSH.
    VAR    ${SESSIONS}    ${{ {} }}    scope=SUITE
    FOR    ${vm}    IN    vm0    vm1
        Create VM    ${vm}
        ${session} =    Start VM    ${vm}
        Set To Dictionary    ${SESSIONS}    ${vm}=${session}
    END
