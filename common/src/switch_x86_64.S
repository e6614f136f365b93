/* Boost.Context's two functions for x86-64 with the System V calling convention.

   A context is the stack pointer of code that has left off. What lies there, from the lowest address on:
     0   control words of SSE (4 bytes) and of the x87 (4 bytes)
     8   r15, r14, r13, r12, rbx, rbp
     56  where to go on */

        .text

/* boc_transfer jump_fcontext(void* to, void* data): returns, at `to`, the context left and `data`. There it may be the
   first call of a function too, which takes a boc_transfer: so it is given both ways. */
        .globl  jump_fcontext
        .hidden jump_fcontext
        .type   jump_fcontext, @function
        .balign 16
jump_fcontext:
        .cfi_startproc
        endbr64
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        subq    $8, %rsp
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movq    %rsp, %rax
        movq    %rdi, %rsp
        movq    %rsi, %rdx
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        popq    %rcx
        movq    %rax, %rdi
        jmpq    *%rcx
        .cfi_endproc
        .size   jump_fcontext, .-jump_fcontext

/* void* make_fcontext(void* top, size_t size, void (*function)(boc_transfer)): the function finds a return address of
   0, at which a walk through the frames ends. */
        .globl  make_fcontext
        .hidden make_fcontext
        .type   make_fcontext, @function
        .balign 16
make_fcontext:
        .cfi_startproc
        endbr64
        andq    $-16, %rdi
        leaq    -72(%rdi), %rax
        stmxcsr (%rax)
        fnstcw  4(%rax)
        xorl    %ecx, %ecx
        movq    %rcx, 8(%rax)
        movq    %rcx, 16(%rax)
        movq    %rcx, 24(%rax)
        movq    %rcx, 32(%rax)
        movq    %rcx, 40(%rax)
        movq    %rcx, 48(%rax)
        movq    %rdx, 56(%rax)
        movq    %rcx, 64(%rax)
        ret
        .cfi_endproc
        .size   make_fcontext, .-make_fcontext

        .section .note.GNU-stack, "", @progbits
