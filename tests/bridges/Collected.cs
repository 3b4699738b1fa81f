using System.Runtime.CompilerServices;

namespace LoraKernels.BridgeTests;

/// <summary>Whether the garbage collector takes an engine's object.</summary>
internal static class Collected
{
    /// <summary>Makes a view, and forgets the owner of its memory.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static TView Make<TView>(Func<(TView View, object Owner)> make, out WeakReference owner)
    {
        (TView view, object made) = make();
        owner = new WeakReference(made);
        return view;
    }

    public static bool Has(WeakReference owner)
    {
        for (int i = 0; i < 3 && owner.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return !owner.IsAlive;
    }
}
