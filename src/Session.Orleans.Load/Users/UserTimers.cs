namespace Session.Orleans.Load.Users;

/// <summary>What a user does next.</summary>
internal enum UserStep
{
    /// <summary>Polls.</summary>
    Poll,

    /// <summary>Polls the rooms of communities.</summary>
    Rooms,

    /// <summary>Sends a message.</summary>
    Send,

    /// <summary>Goes away, or comes back.</summary>
    Session,
}

/// <summary>A planned step.</summary>
/// <param name="User">Whose.</param>
/// <param name="Step">Which.</param>
/// <param name="Epoch">The user's epoch when it was planned; in another one it is void.</param>
/// <param name="Due">When, from the beginning of the run.</param>
internal readonly record struct PlannedStep(VirtualUser User, UserStep Step, int Epoch, TimeSpan Due);

/// <summary>
/// The next steps of all users in one heap. A task per sleeping user would cost some hundred bytes and a timer each; this costs 40 bytes. Safe for
/// concurrent use.
/// </summary>
internal sealed class UserTimers
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<PlannedStep, TimeSpan> _steps = new();

    /// <summary>Plans a step.</summary>
    public void Add(VirtualUser user, UserStep step, TimeSpan due)
    {
        lock (_lock)
            _steps.Enqueue(new(user, step, user.Epoch, due), due);
    }

    /// <summary>Takes a step that is due; false if there is none.</summary>
    public bool TryTake(TimeSpan now, out PlannedStep step)
    {
        lock (_lock)
        {
            if (_steps.TryPeek(out step, out var due) && due <= now)
            {
                _ = _steps.Dequeue();
                return true;
            }

            return false;
        }
    }

    /// <summary>When the next step is due; null if none is planned.</summary>
    public TimeSpan? NextDue
    {
        get
        {
            lock (_lock)
                return _steps.TryPeek(out _, out var due) ? due : null;
        }
    }
}
