*** Settings ***
Documentation       Suites with a switch, a tester and VMs on bad days: a run that is killed leaves
...                 nothing, and one that cannot be is skipped.

# Not common.resource, which imports the library with other arguments than this one.
Resource            ../resources/openvswitch.resource
Library             OperatingSystem
Library             Process
Library             resources/InnerRuns.py

Suite Setup         Skip Unless OVS Can Run

Test Tags           vhost-user    root


*** Test Cases ***
A Killed Run Leaves No Switch
    [Documentation]    No process, no namespace with the cable in it, no directory with its sockets,
    ...    no hugepage. Then the same can be had again.
    Kill A Run And Look After It
    Kill A Run And Look After It

A Suite That Cannot Run Is Skipped And Says Why
    [Documentation]    Neither failed nor passed, with the remedy.
    ${run} =    Run Inner Suite    ../../suites/vxlan_sample.robot
    ...    --variable    OVS_PROGRAM:/no/such/program
    Should Not Be Empty    ${run.tests}
    FOR    ${test}    IN    @{run.tests.values()}
        Should Be Equal    ${test.status}    SKIP
        Should Contain    ${test.message}    apt-get install --no-install-recommends openvswitch-switch-dpdk
    END


*** Keywords ***
Kill A Run And Look After It
    [Documentation]    First it has all that; then, killed, nothing.
    ${run} =    Start Inner Run    switch_in_use.robot
    ${namespaces} =    Wait For Inner Line    ${run}    NAMESPACES (.*)
    ${directory} =    Wait For Inner Line    ${run}    DIRECTORY (.*)
    ${pages} =    Wait For Inner Line    ${run}    HUGEPAGES (.*)
    Every Namespace Should Exist    ${namespaces}
    Directory Should Be In Use    ${directory.strip()}
    Signal Inner Run    ${run}    SIGKILL
    Nothing Should Be Left Of    ${run}    within=${10.0}
    Wait Until Keyword Succeeds    10 s    0.1 s    Nothing Should Be Left On Host
    ...    ${namespaces}    ${directory.strip()}    ${pages}

Nothing Should Be Left On Host
    [Documentation]    Neither names nor processes, and the memory as it was.
    [Arguments]    ${namespaces}    ${directory}    ${pages}
    No Namespace Should Exist    ${namespaces}
    Directory Should Not Be In Use    ${directory}
    Host Should Have Hugepages    ${pages}

Every Namespace Should Exist
    [Documentation]    While the run lives.
    [Arguments]    ${names}
    FOR    ${name}    IN    @{names.split()}
        OperatingSystem.File Should Exist    /run/netns/${name}
    END

No Namespace Should Exist
    [Documentation]    The kernel takes a namespace's interfaces away with it.
    [Arguments]    ${names}
    FOR    ${name}    IN    @{names.split()}
        OperatingSystem.File Should Not Exist    /run/netns/${name}
    END

Directory Should Be In Use
    [Documentation]    The switch, its database and QEMU name the directory.
    [Arguments]    ${directory}
    ${found} =    Run Process    pgrep -fc -- "${directory}/[dv]"    shell=yes
    Should Be True    ${found.stdout} >= 3

Directory Should Not Be In Use
    [Documentation]    Neither is it there, nor does a process name it.
    [Arguments]    ${directory}
    OperatingSystem.Directory Should Not Exist    ${directory}
    ${found} =    Run Process    pgrep -fc -- "${directory}/[dv]"    shell=yes
    Should Be Equal As Integers    ${found.stdout}    0

Host Should Have Hugepages
    [Documentation]    As many as before the run.
    [Arguments]    ${pages}
    ${pools} =    Get Host Hugepages
    Should Be Equal As Integers    ${pools[0].total}    ${pages}
