using System.Runtime.InteropServices;
using LoraKernels.Cli;

using var interrupt = new CancellationTokenSource();

PosixSignal? first = null;

// The first Ctrl+C (or SIGTERM) lets the command clean up what is half-written; the second one ends the process.
void Interrupt(PosixSignalContext context)
{
    context.Cancel = !interrupt.IsCancellationRequested;
    first ??= context.Signal;
    interrupt.Cancel();
}

using var sigint = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);

int code = CliApplication.Run(args, Terminal.OfProcess(), interrupt.Token);
return code == ExitCode.Interrupted && first == PosixSignal.SIGTERM ? ExitCode.Terminated : code;
