/* Boost.Context's two functions for AArch64 with the procedure call standard (AAPCS64).

   A context is the stack pointer of code that has left off. What lies there, from the lowest address on:
     0    d8 to d15
     64   x19 to x28
     144  x29 (frame pointer), x30 (link register)
     160  where to go on, and 8 bytes that keep the alignment */

        .text

/* boc_transfer jump_fcontext(void* to, void* data): returns, at `to`, the context left and `data`. There it may be the
   first call of a function too, which takes a boc_transfer: in the same registers. */
        .globl  jump_fcontext
        .hidden jump_fcontext
        .type   jump_fcontext, %function
        .balign 16
jump_fcontext:
        .cfi_startproc
        sub     sp, sp, #176
        stp     d8, d9, [sp, #0]
        stp     d10, d11, [sp, #16]
        stp     d12, d13, [sp, #32]
        stp     d14, d15, [sp, #48]
        stp     x19, x20, [sp, #64]
        stp     x21, x22, [sp, #80]
        stp     x23, x24, [sp, #96]
        stp     x25, x26, [sp, #112]
        stp     x27, x28, [sp, #128]
        stp     x29, x30, [sp, #144]
        str     x30, [sp, #160]
        mov     x9, sp
        mov     sp, x0
        ldp     d8, d9, [sp, #0]
        ldp     d10, d11, [sp, #16]
        ldp     d12, d13, [sp, #32]
        ldp     d14, d15, [sp, #48]
        ldp     x19, x20, [sp, #64]
        ldp     x21, x22, [sp, #80]
        ldp     x23, x24, [sp, #96]
        ldp     x25, x26, [sp, #112]
        ldp     x27, x28, [sp, #128]
        ldp     x29, x30, [sp, #144]
        ldr     x10, [sp, #160]
        add     sp, sp, #176
        mov     x0, x9
        ret     x10
        .cfi_endproc
        .size   jump_fcontext, .-jump_fcontext

/* void* make_fcontext(void* top, size_t size, void (*function)(boc_transfer)): the function finds a return address of
   0, at which a walk through the frames ends. */
        .globl  make_fcontext
        .hidden make_fcontext
        .type   make_fcontext, %function
        .balign 16
make_fcontext:
        .cfi_startproc
        and     x0, x0, #-16
        sub     x0, x0, #176
        movi    d0, #0
        stp     d0, d0, [x0, #0]
        stp     d0, d0, [x0, #16]
        stp     d0, d0, [x0, #32]
        stp     d0, d0, [x0, #48]
        stp     xzr, xzr, [x0, #64]
        stp     xzr, xzr, [x0, #80]
        stp     xzr, xzr, [x0, #96]
        stp     xzr, xzr, [x0, #112]
        stp     xzr, xzr, [x0, #128]
        stp     xzr, xzr, [x0, #144]
        str     x2, [x0, #160]
        ret
        .cfi_endproc
        .size   make_fcontext, .-make_fcontext

        .section .note.GNU-stack, "", %progbits
