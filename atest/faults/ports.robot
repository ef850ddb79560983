*** Settings ***
Documentation       Ports that QEMU picks never collide, those that testers pick may.

Resource            ../resources/common.resource
Library             String
Library             ../resources/Failures.py

Test Teardown       Stop VMs And Expect That Nothing Is Left

Test Tags           faults    both-versions


*** Variables ***
# No guest is waited for.
${WARM}     ${FALSE}    # robocop: off=VAR02
${VMS}      ${16}


*** Test Cases ***
Many VMs Side By Side Get Ports Of Their Own
    [Documentation]    Two each, all started at once.
    [Tags]    fault-26
    VAR    @{names}    @{{ [f'vm{number}' for number in range($VMS)] }}
    FOR    ${name}    IN    @{names}
        Create VM With Two Forwards    ${name}
    END
    Start VMs    @{names}    wait_for=process
    VAR    ${text}    ${EMPTY}
    FOR    ${name}    IN    @{names}
        ${forwards} =    Run Monitor Command    ${name}    info usernet
        VAR    ${text}    ${text}${forwards}
    END
    ${ports} =    Get Regexp Matches    ${text}    HOST_FORWARD\\]\\s+\\d+\\s+127.0.0.1\\s+(\\d+)    1
    Length Should Be    ${ports}    ${VMS * 2}
    List Should Not Contain Duplicates    ${ports}

A Display That Is Taken
    [Documentation]    With the process that has its port.
    [Tags]    fault-28
    ${port} =    Hold A Port
    VAR    ${display}    ${{ $port - 5900 }}
    Create VM    vm0    vnc=displayNum=${display}
    ${error} =    Should Fail With    PortInUse    Start VM    vm0    wait_for=process
    Should Match    ${error.summary}
    ...    VM 'vm0': VNC display ${display} (port ${port} of 127.0.0.1) is taken by process ${{ os.getpid() }} (*


*** Keywords ***
Create VM With Two Forwards
    [Documentation]    That of its control card, and one of another card.
    [Arguments]    ${name}
    Create VM With A Guest That Never Answers    ${name}
    Add VM Net    ${name}    type=nic    opt_vlan=7
    Add VM Net    ${name}    type=user    opt_vlan=7    opt_hostfwd=tcp:127.0.0.1:0-:80

Stop VMs And Expect That Nothing Is Left
    [Documentation]    Also where a test failed.
    Stop All VMs    timeout=0 s
    Nothing Should Be Left Of This Run
