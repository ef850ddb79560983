*** Settings ***
Documentation       Guest memory in hugepages of the host. Needs root.

Resource            resources/guest.resource
Library             Process
Library             resources/Failures.py

Suite Setup         Start Two VMs On Reserved Pages
Suite Teardown      Stop VMs And Release Pages

Test Tags           hugepages    root


*** Variables ***
# QEMU takes the pages as it does for a boot.
${WARM}             ${FALSE}    # robocop: off=VAR02
${MEBIBYTES}        ${192}


*** Test Cases ***
The Guest's Memory Lies In Hugepages
    [Documentation]    All of it from the start, and the guest works on it.
    Guest Should Answer    vm0
    ${kibibytes} =    Get Hugetlb Of VM    vm0
    Should Be Equal As Integers    ${kibibytes}    ${MEBIBYTES * 1024}

The Pages Are Taken From The Node That Was Asked For
    [Documentation]    Every machine has a node 0.
    ${kibibytes} =    Get Hugetlb Of VM    vm1
    Should Be Equal As Integers    ${kibibytes}    ${MEBIBYTES * 1024}
    ${policy} =    Get Numa Map Of Hugepages    vm1
    Should Contain    ${policy}    bind:0
    Should Match Regexp    ${policy}    \\bN0=\\d+

A VM For Which There Are Too Few Is Not Started
    [Documentation]    The message has the numbers and the remedy, and nothing was launched.
    [Tags]    fault-33
    ${pool} =    Get Default Pool
    ${needed} =    Evaluate    $pool.available + -(-(64 * 1024) // $pool.page_size_kib)
    VAR    ${mebibytes_needed}    ${{ $needed * $pool.page_size_kib // 1024 }}
    Create VM    vm2    mem=size=${mebibytes_needed},hugepage=yes
    ${error} =    Should Fail Saying    HostError
    ...    VM 'vm2': ${needed} hugepages of * (${mebibytes_needed} MiB) are needed on *
    ...    Start VM    vm2    wait_for=process
    Should Contain    ${error}    ${pool.available} are free of ${pool.total}
    Should Contain    ${error}    Reserve Host Hugepages
    ${vm} =    Get VM    vm2
    Should Be Equal    ${vm.artifacts}    ${None}

A Clone Has Its Memory In Hugepages Too
    [Documentation]    All of it; its template holds none.
    Stop VM    vm0
    ${session} =    Start VM    vm0    wait_for=agent    warm=True
    Should Be Equal    ${session.stages[2].name}    state restored
    ${kibibytes} =    Get Hugetlb Of VM    vm0
    Should Be Equal As Integers    ${kibibytes}    ${MEBIBYTES * 1024}
    ${pool} =    Get Default Pool
    Stop VM    vm0
    ${after} =    Get Default Pool
    Should Be Equal As Integers
    ...    ${after.available - ${pool.available}}
    ...    ${{ $MEBIBYTES * 1024 // $pool.page_size_kib }}

Pages Come Back When A VM Stops
    [Documentation]    By whatever way.
    Start VM    vm0    wait_for=process
    ${before} =    Get Default Pool
    Stop VM    vm0
    ${between} =    Get Default Pool
    Kill VM    vm1
    ${after} =    Get Default Pool
    VAR    ${pages}    ${{ $MEBIBYTES * 1024 // $before.page_size_kib }}
    Should Be Equal As Integers    ${between.available - ${before.available}}    ${pages}
    Should Be Equal As Integers    ${after.available - ${between.available}}    ${pages}

A Killed VM Leaves No File Of Its Memory
    [Documentation]    In a hugetlbfs that is mounted for this run alone.
    [Tags]    fault-35
    VAR    ${mount}    ${OUTPUT_DIR}/hugetlbfs
    Create Directory    ${mount}
    ${run} =    Run Process    unshare    -m    sh    -c
    ...    mount -t hugetlbfs none ${mount} && exec "$@"    sh
    ...    python    -m    robot    --outputdir    ${OUTPUT_DIR}/hugepages-in-use
    ...    --variable    MOUNT:${mount}    ${CURDIR}/_data/hugepages_in_use.robot
    ...    stdout=${OUTPUT_DIR}/hugepages-in-use.txt    stderr=STDOUT    timeout=2 min
    Log    ${run.stdout}
    Should Contain    ${run.stdout}    1 test, 1 passed, 0 failed
    Should Be Equal As Integers    ${run.rc}    0

More Than The Host Has Is Not Reserved
    [Documentation]    What the kernel could give is given back.
    ${before} =    Get Default Pool
    Run Keyword And Expect Error
    ...    * more hugepages of * were asked for on *, the kernel has contiguous memory for *
    ...    Reserve Host Hugepages    8192G
    ${after} =    Get Default Pool
    Should Be Equal    ${after}    ${before}

Reserved Pages Are Given Back
    [Documentation]    The host has as many as before the suite.
    Release Host Hugepages
    ${pool} =    Get Default Pool
    Should Be Equal    ${pool}    ${POOL_BEFORE}


*** Keywords ***
Start Two VMs On Reserved Pages
    [Documentation]    Pages that the host has already stay out of it.
    ${pool} =    Get Default Pool
    VAR    ${POOL_BEFORE}    ${pool}    scope=SUITE
    ${pages} =    Reserve Host Hugepages    ${MEBIBYTES * 2}M
    Should Be Equal As Integers    ${pages * ${pool.page_size_kib}}    ${MEBIBYTES * 2 * 1024}
    Create VM    vm0    mem=size=${MEBIBYTES},hugepage=yes
    Start VM    vm0    wait_for=agent
    Create VM    vm1    mem=size=${MEBIBYTES},hugepage=yes,node=0
    Start VM    vm1    wait_for=process

Get Default Pool
    [Documentation]    Returns the pool of the whole host of the size that is used by default.
    ${meminfo} =    Get File    /proc/meminfo
    ${size} =    Should Match Regexp    ${meminfo}    Hugepagesize:\\s+(\\d+)
    @{pools} =    Get Host Hugepages
    FOR    ${pool}    IN    @{pools}
        IF    $pool.node is None and $pool.page_size_kib == int($size[1])    RETURN    ${pool}
    END
    Fail    There is no pool of ${size}[1] KiB.

Get Hugetlb Of VM
    [Documentation]    Returns how many KiB of hugepages QEMU's process has in use.
    [Arguments]    ${name}
    ${vm} =    Get VM    ${name}
    ${rollup} =    Get File    /proc/${vm.pid}/smaps_rollup
    ${private} =    Should Match Regexp    ${rollup}    Private_Hugetlb:\\s+(\\d+)
    ${shared} =    Should Match Regexp    ${rollup}    Shared_Hugetlb:\\s+(\\d+)
    RETURN    ${${private}[1] + ${shared}[1]}

Get Numa Map Of Hugepages
    [Documentation]    Returns the kernel's line about the hugepages of QEMU's process.
    [Arguments]    ${name}
    ${vm} =    Get VM    ${name}
    ${line} =    Run    grep huge /proc/${vm.pid}/numa_maps
    RETURN    ${line}

Stop VMs And Release Pages
    [Documentation]    Also where a test failed.
    Stop All VMs    timeout=0 s
    Run Keyword And Ignore Error    Release Host Hugepages
