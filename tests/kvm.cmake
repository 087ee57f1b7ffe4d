# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The tests of kvm/. kvm_real wants /dev/kvm, and is skipped where there is none.
add_library(gms_test_kvm STATIC kvm_fake.c kvm_fake_sys.c kvm_rig.c)
target_include_directories(gms_test_kvm PUBLIC ${PROJECT_SOURCE_DIR}/kvm)
# gmemstate_kvm names no library that it needs: gms_test has the objects
target_link_libraries(gms_test_kvm PUBLIC "$<LINK_GROUP:RESCAN,gmemstate_kvm,gms_test>")
gms_target_flags(gms_test_kvm)

gms_test(kvm_fake LABELS threads)
gms_test(kvm_sys LABELS no-memcheck)
gms_test(kvm_create)
gms_test(kvm_maps LABELS threads)
gms_test(kvm_part)
gms_test(kvm_fail LABELS slow)
gms_test(kvm_model LABELS slow)
gms_test(kvm_real LABELS threads slow)
foreach(name fake sys create maps part fail model real)
	target_link_libraries(test_kvm_${name} PRIVATE gms_test_kvm)
endforeach()
set_tests_properties(kvm_real PROPERTIES SKIP_RETURN_CODE 77)
