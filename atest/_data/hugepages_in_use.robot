*** Settings ***
Documentation       QEMU is killed while its memory lies in a mounted hugetlbfs. Run it in a mount
...                 namespace of its own, in which one is mounted.

Library             OperatingSystem
Library             Process
Library             DtsVirtLibrary    warm=${FALSE}
Library             ../resources/InnerRuns.py

Suite Setup         Reserve Host Hugepages    64M
Suite Teardown      Release Host Hugepages
Test Teardown       Stop All VMs    timeout=0


*** Variables ***
${MOUNT}    where it is mounted    # given by who starts this


*** Test Cases ***
Be Killed
    [Documentation]    No file stays, and the pages come back.
    @{before} =    Get Host Hugepages
    ${vm} =    Start VM In Hugepages
    @{between} =    Get Host Hugepages
    Should Not Be Equal    ${before}    ${between}
    Run Process    kill    -9    ${vm.pid}
    Stop VM    vm0    timeout=0
    Directory Should Be Empty    ${MOUNT}
    @{after} =    Get Host Hugepages
    Should Be Equal    ${before}    ${after}


*** Keywords ***
Start VM In Hugepages
    [Documentation]    Of the hugetlbfs that was mounted. Returns what is known of the VM.
    ${image} =    Make Silent Image    ${OUTPUT_DIR}/silent.raw
    Create VM    vm0    disk=file=${image},format=raw    mem=size=64,hugepage=yes
    ${line} =    Get VM Command Line    vm0    format=shell
    Should Contain    ${line}    mem-path=${MOUNT},
    Start VM    vm0    wait_for=process
    ${vm} =    Get VM    vm0
    RETURN    ${vm}
