using System.Runtime.InteropServices;
using LoraKernels.Cli;

using var interrupt = new CancellationTokenSource();

// The first Ctrl+C (or SIGTERM) lets the command clean up what is half-written; the second one ends the process.
void Interrupt(PosixSignalContext context)
{
    context.Cancel = !interrupt.IsCancellationRequested;
    interrupt.Cancel();
}

using var sigint = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);

return CliApplication.Run(args, Terminal.OfProcess(), interrupt.Token);
